"""Writes annotated documents that measure and never train: mails, tickets, contracts, court papers, logs and chats in six languages.
Templates and words are those of this file and `documents/`; nothing is shared with `generate.py`.

`python3 documents.py SEED COUNT [FOLDER]`: with `records` instead of `documents`, medical letters, minutes, claims, applications, exports
and messages in small letters in eight languages, with the words of `records/words.json`. One JSON object a line, `{"text", "spans": [[start, end, type]], "language", "form"}`, offsets in code
points. The same arguments give the same texts.
"""
import json
import pathlib
import random
import re
import sys

HERE = pathlib.Path(__file__).parent
WORDS = {
    "en": {
        "first": "Imogen Rupert Delphine Alistair Priya Kwame Saoirse Declan Tamsin Rohan Bethan Callum Ngozi Marcus Philippa Desmond Anjali Gareth Leila Oscar".split(),
        "last": "Thornbury Okonjo Whitlock Penhaligon Ramaswamy Featherstone Abernathy Kilbride Asante Lockhart Mukherjee Winterbourne Gallagher Holcombe Braithwaite Oyelaran Trevelyan Stubbs Macrae Devlin".split(),
        "city": "Leicester Galway Dunedin Halifax Norwich Inverness Swansea Bendigo Duluth Savannah Plymouth Durban".split(),
        "street": "Mulberry Lane|Old Foundry Road|Castle Terrace|Sycamore Drive|Harbour View|Kingfisher Close|Market Street|Weavers Court".split("|"),
        "org": "Thornbury & Lowe|Brackenfield Logistics Ltd|Kestrel Insurance|Pinewood Medical Centre|Lockhart Brothers|Silverbrook Software|Ashdown Housing Association|Meridian Freight Inc.|Halden Bank|Quillon Partners LLP".split("|"),
        "title": ["Mr.", "Mrs.", "Dr.", "Ms."], "zip": "LE1 6TP|NR2 1AB|04101|55802|SA1 3RD".split("|"), "form": "{n} {street}, {city} {zip}|{n} {street}\n{city}\n{zip}|{n} {street}, {city}",
        "phone": ["+44 20 7946 0{3}", "(218) 555-01{2}", "+353 91 55{4}", "01632 960{3}"], "date": ["{d} March {y}", "{y}-{m2}-{d2}", "October {d}, {y}"],
    },
    "de": {
        "first": "Friederike Hannes Roswitha Thorben Mechthild Jannik Annegret Detlef Swantje Burkhard Leonie Ulrich Katharina Falk Henrike Joachim".split(),
        "last": "Brinkmann Oelschläger Hinterhuber Wiesner Petersohn Achterberg Dornseifer Kühnel Rademacher Stadlmair Zöllner Grotefend Haberkorn Lindenthal".split(),
        "city": "Paderborn Bregenz Winterthur Oldenburg Chemnitz Kufstein Göttingen Flensburg Passau Solothurn".split(),
        "street": "Lindenstraße|Mühlweg|Am Alten Markt|Schillerplatz|Kirchgasse|Bergmannstr.|Rosenallee|Zum Steinbruch".split("|"),
        "org": "Brinkmann Spedition GmbH|Nordlicht Versicherung AG|Stadtwerke Paderborn|Achterberg & Söhne KG|Klinikum Oldenburg|Zöllner Maschinenbau GmbH|Sparkasse Flensburg|Rademacher Immobilien".split("|"),
        "title": ["Herr", "Frau", "Dr.", "Prof."], "zip": "33098|6900|8400|26121|09111|24937".split("|"), "form": "{street} {n}, {zip} {city}|{street} {n}\n{zip} {city}|{street} {n} in {city}",
        "phone": ["+49 5251 88{4}", "0441 / 77{4}", "+43 5574 4{4}", "0173 55{5}"], "date": ["{d}. März {y}", "{d2}.{m2}.{y}", "{d}. Oktober {y}"],
    },
    "fr": {
        "first": "Maëlys Thibault Ghislaine Corentin Solène Baptiste Odile Yannick Clémence Fabrice Noémie Gaspard Hélène Rémi".split(),
        "last": "Lachambre Guérinot Pelletan Vasseur Delacourt Montreuil Bonnefoy Quéméner Rochefort Charpentier Delaunoy Saint-Martin Fournel Barbier".split(),
        "city": "Angoulême Quimper Namur Chambéry Valence Lausanne Perpignan Saint-Malo Colmar Liège".split(),
        "street": "rue des Tanneurs|avenue du Général Leclerc|place Saint-Sernin|boulevard Carnot|chemin des Vignes|quai de la Fosse|impasse des Lilas".split("|"),
        "org": "Transports Vasseur SARL|Assurances Delacourt|Clinique des Cèdres|Banque Rochefort|Guérinot et Fils|Menuiserie Pelletan SAS|Société Montreuil SA|Cabinet Bonnefoy".split("|"),
        "title": ["M.", "Mme", "Dr"], "zip": "16000|29000|73000|26000|66000|68000".split("|"), "form": "{n} {street}, {zip} {city}|{n}, {street}\n{zip} {city}|{n} {street} à {city}",
        "phone": ["05 45 92 {2} {2}", "+33 2 98 64 {2} {2}", "06 12 34 {2} {2}"], "date": ["{d} mars {y}", "{d2}/{m2}/{y}", "{d} octobre {y}"],
    },
    "es": {
        "first": "Leocadia Íñigo Rocío Fermín Maribel Gonzalo Itziar Anselmo Paloma Nicanor Candela Evaristo Lourdes Jacinto".split(),
        "last": "Echeverría Peñalver Olmedo Santisteban Zubiri Carrasco Montenegro Iturralde Quiroga Valdivia Arribas Cifuentes Belmonte".split(),
        "city": "Albacete Logroño Mérida Cuenca Huelva Rosario Burgos Querétaro Santander Lugo".split(),
        "street": "Calle de la Encina|Avenida de los Olivos|Plaza del Trigo|Paseo de la Ría|Calle Mayor|Camino del Molino|C/ San Isidro".split("|"),
        "org": "Transportes Olmedo S.L.|Seguros Peñalver|Clínica Santisteban|Banco Quiroga|Talleres Zubiri S.A.|Editorial Valdivia|Bodegas Montenegro|Carrasco y Asociados".split("|"),
        "title": ["Sr.", "Sra.", "Dr.", "Dra."], "zip": "02001|26001|06800|16002|21001".split("|"), "form": "{street} {n}, {zip} {city}|{street}, {n}\n{zip} {city}|{street} {n}, {city}",
        "phone": ["+34 967 21 {2} {2}", "941 25 {2} {2}", "+52 442 21{1} {4}"], "date": ["{d} de marzo de {y}", "{d2}/{m2}/{y}", "{d} de octubre de {y}"],
    },
    "it": {
        "first": "Ornella Tancredi Fiorenza Ruggero Mirella Ludovico Gaia Ermanno Loredana Saverio Ilaria Piergiorgio Nicoletta Duilio".split(),
        "last": "Bevilacqua Castelnuovo Sgarbi Tomasello Fraccaro Malaspina Ghislandi Trevisan Pasqualini Cuccurullo Montalbano Zanichelli".split(),
        "city": "Cuneo Rovigo Matera Lecco Viterbo Pordenone Lugano Ascoli Cosenza Alghero".split(),
        "street": "Via dei Mulini|Corso Cavour|Piazza delle Erbe|Viale Trento|Via San Rocco|Vicolo Stretto|Via Monte Grappa".split("|"),
        "org": "Trasporti Castelnuovo S.r.l.|Assicurazioni Malaspina|Clinica Villa Serena|Banca Trevisan|Officine Fraccaro S.p.A.|Studio Legale Sgarbi|Editrice Zanichelli|Tomasello e Figli".split("|"),
        "title": ["Sig.", "Sig.ra", "Dott.", "Dott.ssa"], "zip": "12100|45100|75100|23900|01100".split("|"), "form": "{street} {n}, {zip} {city}|{street}, {n}\n{zip} {city}|{street} {n}, {city}",
        "phone": ["+39 0171 69{4}", "0835 33{4}", "+39 347 55{5}"], "date": ["{d} marzo {y}", "{d2}/{m2}/{y}", "{d} ottobre {y}"],
    },
    "nl": {
        "first": "Marieke Sjoerd Hendrika Teun Annelies Wouter Femke Gijsbert Jolanda Ruben Liesbeth Maarten Tjitske Bram".split(),
        "last": "Hoekstra Verschuren Kloosterman van Leeuwen Terpstra de Bruijn Zwaagstra Oosterhuis van der Veen Dekkers Brouwer Hagenaars".replace("van der ", "van_der_").replace("van L", "van_L").replace("de B", "de_B").split(),
        "city": "Zwolle Leeuwarden Mechelen Hoorn Venlo Hasselt Middelburg Assen Roermond Kortrijk".split(),
        "street": "Kerkstraat|Molenweg|Prinsengracht|Stationsplein|Lange Nieuwstraat|Beukenlaan|Oude Haven".split("|"),
        "org": "Hoekstra Transport B.V.|Verzekeringen Terpstra|Ziekenhuis De Linde|Dekkers Bouw BV|Bank van Zwolle|Kloosterman & Zonen|Woningstichting Het Anker|Uitgeverij Oosterhuis".split("|"),
        "title": ["Dhr.", "Mevr.", "Dr."], "zip": "8011 CV|8911 DA|2800|1621 EK|5911 HR".split("|"), "form": "{street} {n}, {zip} {city}|{street} {n}\n{zip} {city}|{street} {n} in {city}",
        "phone": ["+31 38 421 {2}{2}", "058-21{5}", "06-55{6}"], "date": ["{d} maart {y}", "{d2}-{m2}-{y}", "{d} oktober {y}"],
    },
}
TYPES = {"PER": "PERSON", "FIRST": "PERSON", "LAST": "PERSON", "ORG": "ORGANIZATION", "CITY": "LOCATION", "ADR": "LOCATION", "PHONE": "PHONE_NUMBER",
         "EMAIL": "EMAIL_ADDRESS", "DATE": "DATE_TIME", "IBAN": "IBAN_CODE", "AGE": "AGE", "TITLE": "TITLE", "IP": "IP_ADDRESS", "CARD": "CREDIT_CARD", "NUM": None}


def iban(r):
    bank = "".join(r.choice("0123456789") for _ in range(18))
    rest = 98 - int(bank + "131400") % 97
    whole = f"DE{rest:02}{bank}"
    return " ".join(whole[at:at + 4] for at in range(0, 22, 4))


def card(r):
    body = "4" + "".join(r.choice("0123456789") for _ in range(14))
    total = sum(d if at % 2 else d * 2 - 9 * (d > 4) for at, d in enumerate(map(int, body)))
    return body + str(-total % 10)


def value(r, words, slot):
    one = lambda kind: r.choice(words[kind]).replace("_", " ")
    if slot == "PER":
        return f"{one('first')} {one('last')}"
    if slot == "ADR":
        form = r.choice(words["form"].split("|"))
        return form.format(n=r.randrange(1, 180), street=one("street"), city=one("city"), zip=one("zip"))
    if slot == "PHONE":
        return re.sub(r"\{(\d)\}", lambda m: "".join(r.choice("23456789") for _ in range(int(m[1]))), one("phone"))
    if slot == "DATE":
        d, m = r.randrange(1, 29), r.randrange(1, 13)
        return one("date").format(d=d, d2=f"{d:02}", m2=f"{m:02}", y=r.randrange(1955, 2026))
    if slot == "EMAIL":
        plain = lambda s: "".join(c for c in s.lower() if c in "abcdefghijklmnopqrstuvwxyz")
        return f"{plain(one('first'))}.{plain(one('last'))}@example.{r.choice(['org', 'net', 'com'])}"
    if slot == "IP":
        return ".".join(str(r.randrange(11, 240)) for _ in range(4))
    if slot in ("AGE", "NUM"):
        return str(r.randrange(21, 88) if slot == "AGE" else r.randrange(2000, 90000))
    return {"IBAN": iban, "CARD": card}[slot](r) if slot in ("IBAN", "CARD") else one(slot.lower())


def fill(r, words, template, small=False):
    """`{PER}` is a value, `{PER:1}` one that comes again under the same number."""
    kept, text, spans, at = {}, "", [], 0
    for match in re.finditer(r"\{([A-Z]+)(?::(\d))?\}", template):
        slot, key = match[1], (match[1], match[2])
        filled = kept.get(key) if match[2] else None
        filled = filled or value(r, words, slot)
        filled = filled.lower() if small and len(filled.lower()) == len(filled) else filled
        kept[key] = filled
        text += template[at:match.start()]
        if TYPES[slot]:
            spans.append([len(text), len(text) + len(filled), TYPES[slot]])
        text += filled
        at = match.end()
    return text + template[at:], spans


def words_of(folder):
    file = HERE / folder / "words.json"
    if not file.exists():
        return WORDS
    # Names of several words are written with `_`.
    lists = lambda key, text: text.split("|") if "|" in text else re.sub(r"\b([a-z]+|van den|van der|Degli|Le|da|do|ter|de) (?=[A-Z])", lambda m: m[0].replace(" ", "_"), text).split() if key in ("first", "last") else text
    return {language: {key: text if key == "form" else lists(key, text) for key, text in words.items()} for language, words in json.loads(file.read_text()).items()}


def main(seed, count, folder="documents"):
    r = random.Random(int(seed))
    words = words_of(folder)
    templates = []
    for path in sorted((HERE / folder).glob("*.txt")):
        for part in path.read_text().strip().split("\n====\n"):
            form, _, body = part.partition("\n")
            templates.append((path.stem, form, body))
    for number in range(int(count)):
        language, form, body = templates[number % len(templates)]
        text, spans = fill(r, words[language], body, folder == "records" and form == "voicemail")
        print(json.dumps({"text": text, "spans": spans, "language": language, "form": form}, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
