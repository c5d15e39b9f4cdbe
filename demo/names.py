"""Names as a school's roll has them: many scripts, hyphens, apostrophes, family name first, people with one name."""

# ruff: noqa: RUF001  # letters that look like Latin ones are the point here

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class People:
    """Names that go together.

    Attributes:
        share: how often, against the other groups.
        given: first choices.
        family: empty where people go by one name.
        family_first: the family name is written first.
        joint: what stands between the two.
    """

    share: int
    given: tuple[str, ...]
    family: tuple[str, ...] = ()
    family_first: bool = False
    joint: str = " "


PEOPLE: Final = (
    People(
        30,
        (
            "Amelia",
            "Jack",
            "Charlotte",
            "Liam",
            "Matilda",
            "Ned",
            "Isla",
            "Angus",
            "Mary-Kate",
            "Billie",
            "Hugo",
            "Ruby",
        ),
        ("Walker", "Thompson", "Smith-Jones", "MacKenzie", "D'Arcy", "Nugent", "Campbell", "Fitzgerald", "Ashby-Cole"),
    ),
    People(8, ("Saoirse", "Niamh", "Órla", "Seán", "Caoimhe", "Éamon"), ("O'Brien", "Ó Súilleabháin", "Ní Dhomhnaill")),
    People(
        9,
        ("Mai", "Bảo", "Thảo", "Quốc Anh", "Hồng Nhung", "Đức"),
        ("Nguyễn", "Trần", "Lê", "Phạm", "Đặng"),
        family_first=True,
    ),
    People(7, ("梓涵", "浩然", "子墨", "欣怡", "宇轩"), ("王", "李", "张", "陈", "欧阳"), family_first=True, joint=""),
    People(6, ("Xin Yi", "Wei-Jie", "Kai", "Mei-Ling"), ("Tan", "Lim", "Wong", "Cheung")),
    People(7, ("نور", "يوسف", "مريم", "عمر", "ليلى"), ("حداد", "الخطيب", "منصور", "عبد الله")),
    People(2, ("נועה", "איתי", "תמר"), ("כהן", "בן-דוד", "לוי")),
    People(3, ("زهرا", "آرش", "پریسا"), ("احمدی", "رضایی")),
    People(5, ("आरव", "दिया", "ईशान", "अनन्या"), ("शर्मा", "पटेल", "गुप्ता")),
    People(5, ("Priya", "Arjun", "Kavitha", "Rohan", "Simran"), ("Raman", "Iyer", "Kaur Gill", "D'Souza")),
    People(4, ("Ελένη", "Γιώργος", "Δέσποινα"), ("Παπαδοπούλου", "Νικολάου", "Οικονόμου")),
    People(5, ("Tāne", "Aroha", "Mere", "Wiremu"), ("Ngata", "Te Rangi", "Parāone")),
    People(3, ("Sione", "ʻAna", "Mele"), ("Tuʻipulotu", "Fīnau", "Leiʻātaua")),
    People(4, ("Łukasz", "Żaneta", "Zofia"), ("Wójcik", "Brzęczyszczykiewicz", "Kowalska-Źrebiec")),
    People(3, ("Işıl", "Çağla", "Ömer"), ("Çelik", "Yıldız", "Öztürk")),
    People(3, ("Bjørn", "Åse", "Þórdís"), ("Ødegård", "Guðmundsdóttir", "Söderström")),
    People(4, ("José Ángel", "Begoña", "Iñaki"), ("Muñoz-Ortega", "de la Peña", "Ibáñez i Puig")),
    People(3, ("Олена", "Тарас", "Дарина"), ("Шевченко", "Мар'яненко", "Коваль")),
    People(3, ("서연", "민준", "지우"), ("김", "박", "남궁"), family_first=True, joint=""),
    People(2, ("陽葵", "蓮", "さくら"), ("佐藤", "小鳥遊"), family_first=True),
    People(2, ("สมชาย", "มะลิ"), ("ใจดี", "ศรีสุข")),
    People(2, ("Ayọ̀mídé", "Olúwaṣeun"), ("Adébáyọ̀", "Ògúnbánjọ")),
    People(2, ("ሰላም", "አቤል"), ("ተስፋዬ", "ከበደ")),
    People(5, ("Wulandari", "Suharti", "Thiri", "Budiono", "Kadek", "Jampa")),
)

TEACHERS: Final = {
    "banksia-college": ("R. Ashworth", "P. Nguyễn", "M. O'Dowd", "J. Castellanos"),
    "saltbush-high": ("Ms Haddad", "Mr van der Berg", "Dr Ó Briain", "Mrs Wulandari"),
    "lyrebird-academy": ("t.okafor", "s.lindqvist", "h.takahashi"),
}
