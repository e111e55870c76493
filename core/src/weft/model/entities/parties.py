"""Who one trades with: customers, contacts, vendors."""

from __future__ import annotations

from datetime import date
from typing import Literal

from weft.model.entities.parts import Address, Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref


class Party(Entity, currency="currency"):
    """What customers and vendors have in common."""

    number: str | None = about("Account number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows the party")
    name: str | None = about("Full name of the organisation or person")
    search_name: str | None = about("Short or alternative name used for searching")
    party_type: Literal["organization", "person"] | None = about("Whether it is an organisation or a person")
    first_name: str | None = about("Given name, for a person")
    middle_name: str | None = about("Middle name, for a person")
    last_name: str | None = about("Family name, for a person")
    type: str | None = about("Role the account plays, in the CRM's words: Customer, Partner, Supplier")
    email: str | None = about("Main e-mail address")
    phone: str | None = about("Main telephone number")
    mobile: str | None = about("Mobile telephone number")
    fax: str | None = about("Fax number")
    website: str | None = about("Web address")
    address: Address | None = about("Main (billing) address")
    shipping_address: Address | None = about("Address goods are sent to")
    tax_id: str | None = about("Tax or VAT registration number")
    registration_number: str | None = about("Number in the commercial register")
    currency: str | None = code("currency", "Currency of trade and of the amounts here")
    payment_terms: str | None = code("payment_terms", "When payment is due")
    payment_method: str | None = code("payment_method", "How payment is made")
    shipment_method: str | None = code("shipment_method", "Terms of delivery")
    tax: str | None = code("tax", "Tax group the party belongs to")
    tax_liable: bool | None = about("Whether tax is charged")
    language: str | None = about("Language of documents, IETF tag such as en-GB")
    industry: str | None = about("Line of business")
    primary_contact: Ref | None = ref("contact", "Contact to turn to first")
    owner: str | None = code("user", "Who looks after the party: CRM owner, salesperson, buyer")
    blocked: Literal["none", "ordering", "shipping", "invoicing", "payment", "all"] | None = about(
        "What is forbidden for the party"
    )
    active: bool | None = about("False when the party is no longer used")
    balance: Money | None = about("What is outstanding now", currency="currency")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Default financial dimensions")


class Customer(Party):
    """A party that buys."""

    customer_group: str | None = code("customer_group", "Group that decides posting and terms")
    price_list: str | None = code("price_list", "Price list the customer buys from")
    credit_limit: Money | None = about("Highest balance allowed", currency="currency")
    credit_rating: str | None = about("Credit rating")
    parent: Ref | None = ref("customer", "Organisation it belongs to")
    bill_to_customer: Ref | None = ref("customer", "Customer who receives the invoices")
    annual_revenue: Money | None = about("Yearly revenue of the organisation", currency="currency")
    employees: int | None = about("Number of employees")


class Vendor(Party):
    """A party one buys from."""

    vendor_group: str | None = code("vendor_group", "Group that decides posting and terms")
    pay_to_vendor: Ref | None = ref("vendor", "Vendor who receives the payments")
    our_account_number: str | None = about("Number under which the vendor knows us")
    bank_account: str | None = about("Account the vendor is paid to, IBAN where there is one")


class Contact(Entity):
    """A person, usually at a customer or vendor."""

    number: str | None = about("Contact number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows the contact")
    name: str | None = about("Full name")
    salutation: str | None = about("Form of address: Mr, Ms, Dr")
    first_name: str | None = about("Given name")
    middle_name: str | None = about("Middle name")
    last_name: str | None = about("Family name")
    type: str | None = about("Role of the contact, in the CRM's words")
    customer: Ref | None = ref("customer", "Customer the person works for")
    vendor: Ref | None = ref("vendor", "Vendor the person works for")
    company_name: str | None = about("Name of the organisation, where it is no record of its own")
    job_title: str | None = about("Job title")
    department: str | None = about("Department the person works in")
    role: str | None = about("Part played in decisions: decision maker, influencer")
    email: str | None = about("E-mail address")
    phone: str | None = about("Business telephone number")
    mobile: str | None = about("Mobile telephone number")
    home_phone: str | None = about("Private telephone number")
    fax: str | None = about("Fax number")
    website: str | None = about("Web address")
    address: Address | None = about("Postal address")
    birth_date: date | None = about("Date of birth")
    gender: Literal["female", "male", "other"] | None = about("Gender, where recorded")
    language: str | None = about("Preferred language, IETF tag such as en-GB")
    do_not_email: bool | None = about("The person wants no e-mail")
    do_not_call: bool | None = about("The person wants no calls")
    do_not_mail: bool | None = about("The person wants no post")
    owner: str | None = code("user", "Who looks after the contact")
    active: bool | None = about("False when the contact is no longer used")
    notes: str | None = about("Free text")
