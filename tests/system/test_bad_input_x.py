import copy
def show(pair, title, *cmds):
    print("=====", title)
    for c in cmds or (("check",),("sync",)):
        print(pair.weft(*c, code=None))
def test_x(pair, monkeypatch):
    pair.account("Adatum", Zip="10115"); pair.customer("Contoso", email="a@contoso.example")
    base = copy.deepcopy(pair.config)
    def cfg(): 
        pair.config = copy.deepcopy(base); return pair.config
    c=cfg(); c["flows"]["customers"]["company"]="CRONUS Nowhere"; show(pair,"unknown company flow")
    c=cfg(); c["connections"]["erp"]["company"]="My Company"; show(pair,"unknown company conn")
    c=cfg(); c["mappings"]["erp"]["customer"]["default"]["fields"]["displayNam"]="search_name"; show(pair,"mapping live field")
    c=cfg(); c["mappings"]["crm"]={"customer":{"account":{"fields":{"UsrNoSuch":"search_name"}}}}; show(pair,"mapping live field crm",("check",),("plan",),("sync",))
    c=cfg(); c["connections"]["crm"]["package"]=True; 
    monkeypatch.setenv("BAD_INPUT_CRM","wrong-crm-Pa55word"); cfg(); show(pair,"wrong crm"); 
    monkeypatch.setenv("BAD_INPUT_CRM","crm-Pa55word-7f3b9c")
    monkeypatch.setenv("BAD_INPUT_ERP","wrong-erp-secret"); cfg(); show(pair,"wrong erp")
    monkeypatch.setenv("BAD_INPUT_ERP","erp~client~secret-41aa9e")
    c=cfg(); c["connections"]["crm"]["auth"]={"client_id":"weft-client","client_secret":"nope-secret-123"}; show(pair,"wrong oauth", ("check",))
    c=cfg(); del c["connections"]["crm"]["ca_file"]; show(pair,"no ca", ("check",),("sync",))
    cfg()
    for kind, opt in (("html",{}),("html",{"status":404}),("truncate",{}),("truncate",{"framed":False})):
        for sysn, path in (("crm","odata/Account"),("erp","customers")):
            pair.fault(sysn, kind, path=path, count=None, **opt); show(pair, f"{kind} {opt} {sysn}", ("sync",)); pair.heal()
    pair.fault("crm","html",path="metadata",count=None); show(pair,"html metadata crm"); pair.heal()
    pair.fault("erp","truncate",path="metadata",count=None); show(pair,"trunc metadata erp"); pair.heal()
    pair.fault("crm","html",path="AuthService",count=None); show(pair,"html login crm",("sync",)); pair.heal()
    show(pair,"heal",("sync",),("issues",))
