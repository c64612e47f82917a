"""The currencies of ISO 4217, and how many digits each has behind the point: amounts are whole minor units.

A currency has a number, which stands for it in stored counters and journeys. So a new currency is appended,
and none is ever moved.

Source: ISO 4217 list one as published on 2026-01-01, without metals, bonds and codes for tests; behind it
what was withdrawn since 2015 (list three), since events of that time may still be read.
"""

_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD
XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
ANG BGN BYR CUC HRK LTL MRO SLL STD VEF ZWL
"""
_DEFAULT_DIGITS = 2
_OTHER_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF BYR",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

NO_CURRENCY = -1  # where a number of a currency stands
CURRENCIES = tuple(_CODES.split())  # by number
_NUMBERS = {code: number for number, code in enumerate(CURRENCIES)}
_DIGITS = {code: digits for digits, codes in _OTHER_DIGITS.items() for code in codes.split()}
DIGITS = tuple(_DIGITS.get(code, _DEFAULT_DIGITS) for code in CURRENCIES)  # by number


def currency_number(code: str) -> int:
    """The number of a currency, whatever the case of its code; NO_CURRENCY for what is none."""
    return _NUMBERS.get(code.upper(), NO_CURRENCY)


def money_text(minor: int, currency: int) -> str:
    """An amount for a person, such as `90.00 EUR`, `12,000 JPY` or `-3.500 KWD`."""
    digits = DIGITS[currency]
    whole, rest = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{rest:0{digits}}" if digits else "") + f" {CURRENCIES[currency]}"
