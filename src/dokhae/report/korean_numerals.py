"""Numbers in Korean texts: 1,945, 천구백사십오 and 1945년 are one number, the last with a unit."""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = {character: value for value, character in enumerate("영일이삼사오육칠팔구")} | {"륙": 6}
SMALL_SCALES = {"십": 10, "백": 100, "천": 1000}
LARGE_SCALES = {"만": 10**4, "억": 10**8, "조": 10**12}
TENS = ["열", "스물|스무", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"]
ONES = ["하나|한", "둘|두", "셋|세|석", "넷|네|넉", "다섯|닷", "여섯|엿", "일곱", "여덟", "아홉"]
NATIVE = {word: 10 * ten for ten, words in enumerate(TENS, 1) for word in words.split("|")}
NATIVE |= {word: one for one, words in enumerate(ONES, 1) for word in words.split("|")}

UNITS = """
년 년대 년도 세기 월 개월 달 주 주일 주년 일 시 시간 초 학년
명 인 사람 분 세 살 쌍 조 팀 세대 가구 마리 대 척 기 문 자루 그루 송이 켤레 벌
개 가지 종 종류 번 번째 차 차례 회 호 위 등 급 단계 배 점 골 승 패 무 표 석 권 편 부 부작 곡 장 쪽 페이지
막 마디 단어 글자 자 곳 군데 건 동 층 호실 호선 개국 개소 개교 도 평 리 돈 냥 관 근 되 말 섬 잔 병 끼 채 판
원 달러 엔 유로 위안 파운드 프랑 마르크 루블 퍼센트 프로 포인트 % ％ %p ‰ ° ℃ ℉
미터 킬로미터 센티미터 밀리미터 그램 킬로그램 톤 리터 헥타르 제곱미터 제곱킬로미터 ㎡ ㎢ ㎞ ㎝ ㎜ ㎏
m km km/h m/s cm mm nm m2 km2 ha g kg mg t l ml hz khz mhz ghz kb mb gb tb kbps mbps gbps w kw mw kwh v mah p mp
""".split()  # noqa: SIM905 - a hundred quotation marks say nothing

ARABIC = r"\d{1,18}(?:,\d{3})*(?:\.\d+)?"
SCALES = "[십백천만억조]"
SINO = f"(?:[{''.join(DIGITS)}]?{SCALES})"
HANGUL = f"(?:{'|'.join(sorted(NATIVE, key=len, reverse=True))})"
NOT_IN_A_WORD = r"(?<!\w)"
UNIT = f"(?: ?여)?(?: ?(?:{'|'.join(map(re.escape, sorted(UNITS, key=len, reverse=True)))}))?"
ABOUT = "(?: ?(?:간|째|대|경|쯤|가량|정도))?"
WORD_ENDS = r"(?![^\W\d_])"
BEFORE = f"(?:{NOT_IN_A_WORD}제 ?)?"

BY_VALUE = re.compile(
    f"{BEFORE}(?P<number>{ARABIC}(?: ?여? ?{SCALES}+(?: ?{ARABIC})?)*"
    f"|{NOT_IN_A_WORD}{HANGUL}+(?={UNIT}{ABOUT}{WORD_ENDS})"
    f"|{NOT_IN_A_WORD}(?:{SINO}+(?: {SINO}+)*[{''.join(DIGITS)}]?|[{''.join(DIGITS)}]))"
    f"(?:{UNIT}{ABOUT}{WORD_ENDS})?"
)
BY_DIGITS = re.compile(f"{BEFORE}(?P<number>{ARABIC})(?:(?: ?여)? ?{SCALES}*{UNIT}{ABOUT}{WORD_ENDS})?")
PART = re.compile(f"{ARABIC}|{HANGUL}|[{''.join(DIGITS)}{''.join(SMALL_SCALES)}{''.join(LARGE_SCALES)}]")
ANY_DIGIT = re.compile(r"\d")


def same_numbers(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but how their numbers are written, or in the units of these.

    Scales count as units too (400조, 400). One of the texts has to hold a digit: 사 and 사회 are hardly numbers.
    """
    if not (ANY_DIGIT.search(one) or ANY_DIGIT.search(other)):
        return False
    return any(
        len(parts := _parts(one, pattern)) > 1 and parts == _parts(other, pattern) for pattern in (BY_VALUE, BY_DIGITS)
    )


def _parts(text: str, pattern: re.Pattern[str]) -> list[str | Decimal]:
    """What is between the numbers of a text, without spaces, and the numbers, by turns."""
    text = text.lower()
    parts: list[str | Decimal] = []
    last = 0
    for match in pattern.finditer(text):
        parts += ["".join(text[last : match.start()].split()), value_of(match["number"])]
        last = match.end()
    return [*parts, "".join(text[last:].split())]


def value_of(number: str) -> Decimal:
    """The value of a number in digits, Sino-Korean or native words, or all of them: 2만 5000 is 25000."""
    total = section = one = Decimal(0)  # section: what the next 만, 억 or 조 multiplies
    for part in PART.findall(number):
        if part in LARGE_SCALES:
            total += (section + one or 1) * LARGE_SCALES[part]
            section = one = Decimal(0)
        elif part in SMALL_SCALES:
            section += (one or 1) * SMALL_SCALES[part]
            one = Decimal(0)
        else:
            one += Decimal(DIGITS[part] if part in DIGITS else NATIVE.get(part) or part.replace(",", ""))
    return total + section + one
