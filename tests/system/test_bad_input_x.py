import copy, pytest
def show(pair, title, *cmds):
    print("=====", title)
    for c in cmds or (("check",),("sync",)):
        print(pair.weft(*c, code=None))
def test_field(pair):
    a=pair.account("Adatum", Zip="10115", AlternativeName="ADA"); c=pair.customer("Contoso", email="a@contoso.example")
    m=pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    m["displayNam"]="search_name"
    show(pair,"first sync with missing",("sync",),("issues",),("plan",))
    print(pair.accounts()["Adatum"]["AlternativeName"])
    del m["displayNam"]; pair.wait(7200)
    show(pair,"healed",("sync",),("issues",),("verify",))
def test_field2(pair):
    a=pair.account("Adatum", Zip="10115", AlternativeName="ADA"); c=pair.customer("Contoso", email="a@contoso.example", addressLine2="x2")
    m=pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    m["addressLine2"]="search_name"
    show(pair,"ok",("sync",))
    print({k:v["addressLine2"] for k,v in pair.customers().items()}, {k:v["AlternativeName"] for k,v in pair.accounts().items()})
    m["addressLine2"]=None; m["addressLineX"]="search_name"
    pair.edit_customer(c, email="b@contoso.example")
    pair.edit_account(a, Zip="10116")
    show(pair,"then",("plan",),("sync",),("sync","--sweep"),("issues",),("verify",))
    print({k:v["addressLine2"] for k,v in pair.customers().items()}, {k:v["AlternativeName"] for k,v in pair.accounts().items()})
    m["addressLine2"]="search_name"; del m["addressLineX"]
    pair.wait(7200)
    show(pair,"healed",("sync",),("issues",),("verify",))
    print({k:v["addressLine2"] for k,v in pair.customers().items()}, {k:v["AlternativeName"] for k,v in pair.accounts().items()})
def test_write(pair):
    n=0
    for kind, opt in (("html",{}),("html",{"status":500}),("truncate",{}),("truncate",{"framed":False})):
        for sysn in ("crm","erp"):
            n+=1
            print("#######", kind,opt,sysn)
            if sysn=="crm": pair.customer(f"Walkin {n}", email=f"w{n}@walkin.example")
            else: pair.account(f"Account {n}", Zip=f"{10000+n}")
            pair.fault(sysn, kind, method="POST", path="odata|customers|batch", count=None, **opt); show(pair, f"{kind} {opt} {sysn}", ("sync",),("issues",)); pair.heal()
            pair.wait(1000)
            show(pair,"heal",("sync",),("issues",),("verify",))
            pair.accounts(); pair.customers()
