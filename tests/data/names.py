"""Patient names in the character sets of PS3.3 C.12.1.1.2, all fictional."""

NAMES: dict[str, tuple[str | list[str], str]] = {
    "latin-1": ("ISO_IR 100", "Müßig^Jérôme"),
    "latin-2": ("ISO_IR 101", "Łącki^Živko"),
    "cyrillic": ("ISO_IR 144", "Выдуманная^Анна"),
    "arabic": ("ISO_IR 127", "خيالي^ليلى"),
    "greek": ("ISO_IR 126", "Φανταστική^Ελένη"),
    "hebrew": ("ISO_IR 138", "בדוי^דנה"),
    "turkish": ("ISO_IR 148", "Şimşek^İğde"),
    "thai": ("ISO_IR 166", "สมมุติ^น้ำใส"),
    "japanese-8-bit": ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "greek-extension": (["", "ISO 2022 IR 126"], "Fantasia=Φαντασία"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "greek-unicode": ("ISO_IR 192", "Φανταστική^Ελένη"),
    "cyrillic-unicode": ("ISO_IR 192", "Выдуманная^Анна"),
    "arabic-unicode": ("ISO_IR 192", "خيالي^ليلى"),
    "thai-unicode": ("ISO_IR 192", "สมมุติ^น้ำใส"),
    "combining-accents": ("ISO_IR 192", "Jose\u0301^Zoe\u0308 A\u030a"),
    "accents-of-the-same-look": ("ISO_IR 192", "Jos\u00e9^Zo\u00eb \u00c5"),
    "beyond-16-bits": ("ISO_IR 192", "Yoshino=𠮷野^家"),
}
"""By a word for the test: Specific Character Set and Patient Name."""
