import copy, pytest, time, sqlite3, subprocess, sys, os
from decimal import Decimal
def show(pair, title, *cmds):
    print("=====", title)
    for c in cmds or (("check",),("sync",)):
        r=pair.weft(*c, code=None); print(str(r)[:3000])
def test_amount(pair):
    pair.config["flows"]["customers"]["fields"]={}
    a=pair.account("Adatum", Zip="10115", UsrCreditLimit=Decimal("12345678901234.56"), UsrTaxId="DE1")
    b=pair.account("Big", Zip="10115", UsrCreditLimit=Decimal("9999999999999999.99"), UsrTaxId="DE2")
    b=pair.account("Frac", Zip="10115", UsrCreditLimit=Decimal("0.01"), UsrTaxId="DE3")
    show(pair,"amounts",("plan",),("sync",),("issues",),("verify",))
    print({k:v["creditLimit"] for k,v in pair.customers().items()}, {k:v["UsrCreditLimit"] for k,v in pair.accounts().items()})
def test_dup(pair):
    # far side refuses duplicate
    pair.config["mappings"]["erp"]["customer"]["default"]["fields"]["number"]={"from":"number"}
    c=pair.customer("Contoso", email="a@contoso.example", number="C77")
    a=pair.account("Adatum", Zip="10115", UsrErpNumber="C77")
    show(pair,"dup",("plan",),("sync",),("issues",),("issues","show","1"),("verify",))
    print(list(pair.customers()), list(pair.accounts()))
def test_newer(pair):
    pair.account("Adatum", Zip="10115"); show(pair,"first",("sync",))
    con=sqlite3.connect(pair.state); con.execute("update weft_version set version_num='0099'") if con.execute("select count(*) from sqlite_master where name='weft_version'").fetchone()[0] else print(con.execute("select name from sqlite_master where type='table'").fetchall()); con.commit(); con.close()
    show(pair,"newer",("check",),("plan",),("sync",),("status",),("issues",))
    pair.state.write_bytes(b"not a db"*100); show(pair,"nodb",("check",),("sync",),("status",))
    pair.state.unlink(); (pair.folder/"weft.db-wal").unlink(missing_ok=True); (pair.folder/"weft.db-shm").unlink(missing_ok=True)
    con=sqlite3.connect(pair.state); con.execute("create table other(a)"); con.commit(); con.close()
    show(pair,"other",("check",),("sync",))
