"""Short names of months and weekdays, as programs print them in a log.

A syslog daemon writes English. Postfix's own log file, journalctl and containers follow the locale
they were started with. Names that mean two months (Croatian beside Polish and Czech) are left out.
Contract: `MONTHS` gives a month's number for a name in lower case, UTF-8, without its full stop.
Failure: KeyError for a name nobody knows: the line counts as one without a readable time.
"""

from __future__ import annotations

__all__ = ["ENGLISH", "MONTHS"]

ENGLISH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

_YEARS = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "jan feb mär apr mai jun jul aug sep okt nov dez",
    "jän feb märz apr mai juni juli aug sept okt nov dez",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "jan fév mar avr mai jui juil aoû sep oct nov déc",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "jan feb mars april maj juni juli aug sept okt nov dec",
    "jan feb mar apr mai jun jul aug sep okt nov des",
    "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "led úno bře dub kvě čen čec srp zář říj lis pro",
    "jan febr márc ápr máj jún júl aug szept okt nov dec",
    "ian feb mar apr mai iun iul aug sept oct nov dec",
    "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "янв фев мар апр май июн июл авг сен окт ноя дек",
    "янв февр марта апр мая июня июля авг сент окт нояб дек",
    "січ лют бер кві тра чер лип сер вер жов лис гру",
    "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
)

MONTHS = {
    name.encode(): number
    for year in reversed(_YEARS)
    for number, name in enumerate(year.split(), start=1)
}
