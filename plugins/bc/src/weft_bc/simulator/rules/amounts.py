"""The arithmetic of documents: line discounts, taxes, invoice discount, header totals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.rules.kinds import DocumentKind
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.values import plain

ZERO = Decimal(0)
HUNDRED = Decimal(100)


def tax_percent(co: Company, kind: DocumentKind, header: Row, line: Row) -> Decimal:
    """The rate: none for partners who are not liable and for groups that are exempt, else that of the area."""
    if line["lineType"] == "Comment":
        return ZERO
    party = co.get(kind.party, header[f"{kind.party_name}Id"])
    if party is None or not party["taxLiable"]:
        return ZERO
    group = co.first("taxGroups", "code", line["taxCode"]) if line["taxCode"] else None
    if group is None or group.get("$exempt"):
        return ZERO
    area_id = party.get("taxAreaId", ZERO_GUID)
    area = co.get("taxAreas", area_id) if area_id != ZERO_GUID else None
    return Decimal(area["$percent"]) if area and "$percent" in area else Decimal(co.settings.tax_percent)


def line_amounts(co: Company, kind: DocumentKind, header: Row, line: Row, given: set[str]) -> dict[str, Any]:
    """Amounts of a line before the invoice discount. ``given``: what the request wrote; a written discount
    amount sets the percentage, otherwise the percentage (or the kept amount) sets the amount."""
    precision = co.precision(header["currencyCode"])
    gross = rounded(Decimal(line["quantity"]) * Decimal(line[kind.price]), precision)
    if "discountPercent" in given:
        percent = Decimal(line["discountPercent"])
        discount = rounded(gross * percent / HUNDRED, precision)
    elif "discountAmount" in given:
        discount = rounded(Decimal(line["discountAmount"]), precision)
        percent = plain((discount * HUNDRED / gross).quantize(Decimal("0.00001"))) if gross else ZERO
    else:
        percent = Decimal(line["discountPercent"])
        discount = rounded(gross * percent / HUNDRED, precision)
    tax = tax_percent(co, kind, header, line)
    amount = gross - discount
    if header.get("pricesIncludeTax"):
        including = amount
        excluding = rounded(amount * HUNDRED / (HUNDRED + tax), precision)
    else:
        excluding = amount
        including = excluding + rounded(excluding * tax / HUNDRED, precision)
    return {
        "discountAmount": plain(discount),
        "discountPercent": plain(percent),
        "amountExcludingTax": plain(excluding),
        "taxPercent": plain(tax),
        "totalTaxAmount": plain(including - excluding),
        "amountIncludingTax": plain(including),
        "discountAppliedBeforeTax": not header.get("pricesIncludeTax", False),
    }


def totals(co: Company, kind: DocumentKind, header: Row) -> Row:
    """Spread the invoice discount over the lines and add up the header; returns the header as written."""
    lines = sorted(co.table(kind.lines).find("documentId", header["id"]), key=lambda line: line["sequence"])
    precision = co.precision(header["currencyCode"])
    base = sum((line["amountExcludingTax"] for line in lines), ZERO)
    discount = Decimal(header["discountAmount"])
    left = discount
    sums = [ZERO, ZERO, ZERO]
    bearing = [line for line in lines if line["amountExcludingTax"] != 0]
    for line in lines:
        share = ZERO
        if discount and base and line["amountExcludingTax"] != 0:
            last = line is bearing[-1]
            share = left if last else rounded(discount * line["amountExcludingTax"] / base, precision)
            left -= share
        net = line["amountExcludingTax"] - share
        tax = rounded(net * line["taxPercent"] / HUNDRED, precision) if share else line["totalTaxAmount"]
        computed = {
            "netAmount": plain(net),
            "netTaxAmount": plain(tax),
            "netAmountIncludingTax": plain(net + tax),
        }
        if "invoiceDiscountAllocation" in line:
            computed["invoiceDiscountAllocation"] = plain(share)
        if any(line[name] != value for name, value in computed.items()):
            co.update(kind.lines, line, computed, silent=True)
        for index, value in enumerate((net, tax, net + tax)):
            sums[index] += value
    summed: dict[str, Any] = {
        "totalAmountExcludingTax": plain(sums[0]),
        "totalTaxAmount": plain(sums[1]),
        "totalAmountIncludingTax": plain(sums[2]),
    }
    if "discountAppliedBeforeTax" in header:
        summed["discountAppliedBeforeTax"] = not header.get("pricesIncludeTax", False)
    if "remainingAmount" in header and header["status"] in ("Draft", "In_x0020_Review"):
        summed["remainingAmount"] = plain(sums[2])
    return co.update(kind.set, header, summed)
