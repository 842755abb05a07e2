"""What the receivers of the sample day say when they refuse.

Contract: data only. A text may use {rcpt}, {ip}, {domain} and {token}; a reply of several lines is
folded to one as Postfix logs it. Failure: none.
"""

from __future__ import annotations

__all__ = [
    "GMX_POLICY",
    "GOOGLE_FULL",
    "GOOGLE_NEWS",
    "GOOGLE_UNKNOWN",
    "GOOGLE_USER_RATE",
    "GREY_HINT",
    "ICLOUD",
    "M365_HOURLY",
    "M365_UNKNOWN",
    "OLC_RATE",
    "OLC_UNKNOWN",
    "POSTGREY",
    "TONLINE",
    "TOO_MANY",
    "YAHOO_DISABLED",
    "YAHOO_TSS04",
]

GOOGLE_NEWS = (
    "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating 421-4.7.28 from "
    "your IP address [{ip}]. To protect our users from spam, 421-4.7.28 mail sent from your IP "
    "address has been temporarily rate limited. 421-4.7.28 For more information, go to 421 4.7.28 "
    "https://support.google.com/mail/?p=UnsolicitedRateLimitError {token} - gsmtp"
)
GOOGLE_USER_RATE = (
    "450-4.2.1 The user you are trying to contact is receiving mail at a rate that 450-4.2.1 "
    "prevents additional messages from being delivered. Please resend your 450-4.2.1 message at a "
    "later time. For more information, go to 450 4.2.1 "
    "https://support.google.com/mail/?p=ReceivingRate {token} - gsmtp"
)
GOOGLE_FULL = (
    "452-4.2.2 The recipient's inbox is out of storage space. Please direct the 452-4.2.2 "
    "recipient to 452 4.2.2 https://support.google.com/mail/?p=OverQuotaTemp {token} - gsmtp"
)
GOOGLE_UNKNOWN = (
    "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 "
    "double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. For "
    "more information, go to 550 5.1.1 "
    "https://support.google.com/mail/?p=NoSuchUser {token} - gsmtp"
)
YAHOO_TSS04 = (
    "421 4.7.0 [TSS04] Messages from {ip} temporarily deferred due to unexpected volume or user "
    "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes"
)
OLC_RATE = (
    "451 4.7.650 The mail server [{ip}] has been temporarily rate limited due to IP reputation. "
    "For e-mail delivery information, see https://postmaster.live.com (S775) [{token}.prod."
    "protection.outlook.com]"
)
M365_HOURLY = (
    "550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded. "
    "[{token}.eurprd03.prod.outlook.com]"
)
M365_UNKNOWN = (
    "550 5.4.1 Recipient address rejected: Access denied. For more information see "
    "https://aka.ms/EXOSmtpErrors [{token}.eurprd04.prod.outlook.com]"
)
GMX_POLICY = (
    "550-Requested action not taken: mailbox unavailable 550-Reject due to policy restrictions. "
    "550 For explanation visit https://postmaster.gmx.net/en/error-messages?ip={ip}&c=hi"
)
TONLINE = (
    "554 IP={ip} - None/bad reputation. Ask your postmaster for help or to contact "
    "tobr@rx.t-online.de for reset. (NOWL)"
)
ICLOUD = (
    "421 4.7.1 Messages to {rcpt} deferred due to excessive volume. Try again later - "
    "https://support.apple.com/en-us/HT204137"
)
POSTGREY = (
    "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, see "
    "http://postgrey.schweikert.ch/help/{domain}.html"
)
GREY_HINT = "451 4.7.1 Greylisting in action, please come back later; retry=00:05:00"
OLC_UNKNOWN = (
    "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). "
    "[{token}.prod.protection.outlook.com]"
)
YAHOO_DISABLED = (
    "554 30 Sorry, your message to {rcpt} cannot be delivered. This mailbox is disabled (554.30)."
)
TOO_MANY = "452 4.5.3 Too many recipients (limit is 10 per message)"
