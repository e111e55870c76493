"""Small tables with a code, and time registration."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.base import CURRENCY, Parent, Rules, Values, changed, check_code, resolve
from weft_bc.simulator.rules.terms import DateFormula
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.tables import table_caption

# Where a setup record is still used: (set, property) pairs by set.
USES = {
    "currencies": (
        ("customers", "currencyId"),
        ("vendors", "currencyId"),
        ("salesOrders", "currencyId"),
        ("salesInvoices", "currencyId"),
    ),
    "itemCategories": (("items", "itemCategoryId"),),
    "unitsOfMeasure": (("items", "baseUnitOfMeasureId"),),
}
BANK_START = "B000"


class SetupRules(Rules):
    """Currencies, units, categories, terms, methods, tax, countries, salespeople, locations, bank accounts."""

    def check(self, co: Company, name: str, values: Values) -> None:
        for formula in ("dueDateCalculation", "discountDateCalculation"):
            if formula in values:
                values[formula] = DateFormula.parse(values[formula], formula).text
        if name == "bankAccounts":
            resolve(co, values, CURRENCY)
        if name in ("companyInformation", "locations"):
            check_code(
                co,
                values,
                "country",
                "countriesRegions",
                "Country/Region Code",
                table_caption(co.schema[name]),
                "Country/Region",
            )
        if name == "currencies" and values.get("code") == co.lcy:
            raise dialog(f"The local currency {co.lcy} cannot be set up as a foreign currency.")

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        key = "number" if name == "bankAccounts" else "code"
        if name == "bankAccounts":
            while not values.get(key):
                number = co.next_number(name, BANK_START)
                if co.first(name, "number", number) is None:
                    values[key] = number
        elif not values.get(key):
            raise dialog(f"Code must have a value in {table_caption(co.schema[name])}. It cannot be zero or empty.")
        self.check(co, name, values)
        if name == "currencies":
            values.setdefault("amountRoundingPrecision", Decimal("0.01"))
            values.setdefault("amountDecimalPlaces", "2:2")
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self.check(co, name, values)
        for key in ("code", "number"):
            if values.get(key) == "":
                raise dialog(f"{key.capitalize()} must not be blank in {table_caption(co.schema[name])}.")
        difference = changed(row, values)
        return co.update(name, row, difference) if difference else row

    def remove(self, co: Company, name: str, row: Row) -> None:
        for other, column in USES.get(name, ()):
            if co.table(other).find(column, row["id"]):
                raise dialog(
                    f"You cannot delete {table_caption(co.schema[name])} {row['code']} because it is used by at "
                    f"least one {table_caption(co.schema[other])}."
                )
        co.delete(name, row)


class TimeRules(Rules):
    """Time sheet lines of an employee; the day's quantity is what a line holds."""

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        employee = self._employee(co, values, parent)
        if "date" not in values or values["date"] == "0001-01-01":
            raise BcError(400, "BadRequest_RequiredParamNotProvided", 'The "date" must be provided.')
        self._project(co, values)
        lines = co.table(name).find("employeeId", employee["id"])
        unit = co.first("unitsOfMeasure", "code", "HOUR")
        values |= {
            "employeeId": employee["id"],
            "employeeNumber": employee["number"],
            "lineNumber": max((line["lineNumber"] for line in lines), default=0) + 10000,
            "status": "Open",
            "unitOfMeasureId": unit["id"] if unit else ZERO_GUID,
            "unitOfMeasureCode": unit["code"] if unit else "",
        }
        return co.insert(name, values)

    def _employee(self, co: Company, values: Values, parent: Parent | None) -> Row:
        if parent is not None:
            return parent.row
        employee = None
        if values.get("employeeId", ZERO_GUID) != ZERO_GUID:
            employee = co.get("employees", values["employeeId"])
        elif values.get("employeeNumber"):
            employee = co.first("employees", "number", values["employeeNumber"])
        if employee is None:
            raise dialog("The employee cannot be found.")
        if values.get("employeeNumber", employee["number"]) != employee["number"]:
            raise dialog("The employee values do not match to a specific Employee.")
        return employee

    def _project(self, co: Company, values: Values) -> None:
        project = None
        if values.get("jobId", ZERO_GUID) != ZERO_GUID:
            project = co.get("projects", values["jobId"])
            if project is None:
                raise dialog('The "jobId" does not match to a Project.')
        elif values.get("jobNumber"):
            project = co.first("projects", "number", values["jobNumber"])
            if project is None:
                raise dialog('The "jobNumber" does not match to a Project.')
        if project is not None:
            values |= {"jobId": project["id"], "jobNumber": project["number"]}

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        if row["status"] != "Open":
            raise dialog("Status must be equal to 'Open' in Time Sheet Line.")
        for fixed in ("employeeId", "employeeNumber", "date"):
            if fixed in values and values[fixed] != row[fixed]:
                raise dialog(f'The value for "{fixed}" cannot be modified.')
        self._project(co, values)
        return super().modify(co, name, row, values)
