"""Writes annotated texts. `long`: one JSON object a line, `{"text", "spans": [[start, end, label]]}`, offsets in code
points. `train`: the form that `train.rs` reads.

`python3 generate.py train|long SEED COUNT WORDS_FOLDER`. The same arguments give the same texts. Templates are in `templates/` and `long/`: `[a|b]` is a choice, `{SLOT}` a value. Labels are PER, ORG, LOC and ADR;
values of other kinds are not annotated here, since other detectors find them.
"""
import functools
import json
import pathlib
import random
import re
import sys

import gazetteer

HERE = pathlib.Path(__file__).parent
LATIN = """cs_CZ da_DK de_AT de_CH de_DE de_LU en_GB en_IE en_IN en_KE en_NG en_NZ en_US es_AR es_CA es_CL es_CO es_ES es_MX et_EE
 fi_FI fr_BE fr_CA fr_CH fr_FR ga_IE hr_HR hu_HU id_ID is_IS it_IT lt_LT lv_LV nl_BE nl_NL no_NO pl_PL pt_BR pt_PT ro_RO
 sk_SK sl_SI sv_SE tr_TR tw_GH vi_VN zu_ZA""".split()
OTHER = "ru_RU uk_UA bg_BG el_GR".split()
OWN = {"de": ["de_DE", "de_AT", "de_CH"], "fr": ["fr_FR", "fr_BE"], "es": ["es_ES", "es_MX"], "it": ["it_IT"], "nl": ["nl_NL"],
       "pt": ["pt_BR", "pt_PT"], "pl": ["pl_PL"], "el": ["el_GR"], "ru": ["ru_RU"], "uk": ["uk_UA"], "bg": ["bg_BG"]}
# Of the locales of Faker those that write addresses of their own.
ADDRESSES = {"en": ["en_US", "en_GB", "en_CA", "en_AU", "en_NZ", "en_IN", "en_IE"], "de": ["de_DE", "de_AT", "de_CH"], "fr": ["fr_FR", "fr_CA", "fr_CH"],
             "es": ["es_ES", "es_MX", "es_CO", "es_AR", "es_CL"], "it": ["it_IT"], "nl": ["nl_NL", "nl_BE"], "pt": ["pt_BR", "pt_PT"], "pl": ["pl_PL"],
             "el": ["el_GR"], "ru": ["ru_RU"], "uk": ["uk_UA"], "bg": ["bg_BG"], "xx": ["cs_CZ", "da_DK", "fi_FI", "hu_HU", "no_NO", "ro_RO", "sk_SK", "sl_SI", "sv_SE", "tr_TR", "hr_HR", "id_ID", "et_EE"]}
# Forms of address by language.
FORMS = {"en": "Mr.|Mrs.|Ms.|Dr.|Mr|Mrs|Ms|Dr|Prof.|Miss|Sir|Mx", "de": "Herr|Frau|Dr.|Herrn|Prof.|Frau Dr.|Hr.|Fr.", "fr": "M.|Mme|Mlle|Monsieur|Madame|Dr|Maître|Me",
         "es": "Sr.|Sra.|Don|Doña|Dr.|Dra.|Srta.|D.|D.ª", "it": "Sig.|Sig.ra|Dott.|Dott.ssa|Avv.|Signor|Signora|Ing.|Prof.", "nl": "Dhr.|Mevr.|de heer|mevrouw|Mw.|Dr.|meneer",
         "pt": "Sr.|Sra.|Dr.|Dra.|Dona|Senhor|Senhora|D.", "pl": "Pan|Pani|Pana|Panem|dr|mgr|inż.", "el": "κ.|κα|Δρ.|κύριος|κυρία", "ru": "г-н|г-жа|господин|госпожа|д-р", "uk": "пан|пані|п.", "bg": "г-н|г-жа|д-р|инж."}
# Small words before family names, by language: how often in a hundred, and which.
PARTICLES = {"nl": (22, "van |van der |van den |de |van de |ter |'t "), "de": (4, "von |vom |zu |van "), "fr": (6, "de |du |de la |d'|le |des "), "es": (5, "de |de la |del |de los "),
             "it": (7, "di |de |del |della |lo |la |d'"), "pt": (14, "da |de |do |dos |das "), "en": (1, "de |van |von |Mc|O'|Mac")}
LANDS = {"de": ["DE", "AT", "CH"], "fr": ["FR", "BE"], "es": ["ES", "MX", "AR"], "it": ["IT"], "nl": ["NL", "BE"], "pt": ["BR", "PT"], "pl": ["PL"], "el": ["GR", "CY"], "ru": ["RU", "BY", "KZ"], "uk": ["UA"], "bg": ["BG"]}
MONTHS = {
    "en": "January February March April May June July August September October November December Jan Feb Mar Apr Jun Jul Aug Sept Oct Nov Dec",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember", "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre", "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december", "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
}
# What stands between a street and its town in a sentence.
LINKED = {"en": ["in"], "de": ["in"], "fr": ["à"], "es": ["en"], "it": ["a"], "nl": ["in", "te"], "pt": ["em"], "pl": ["w"]}
SYLLABLES = "lo ra mi ver tek nu so li an dor ka pe xi vo ta ri gen bel mar co den fi zu ja qui ar os el on ix io al".split()
TAILS = "ia ify ly era ent on ex is io ora um ix us ant able".split()
WORDS = """blue north open clear smart swift bright iron silver stone river cloud data first global united general national central pacific
 atlantic summit pioneer vertex health care legal news trade home green solar urban prime alpha delta omega cyber net micro macro
 energy capital street map market food fresh garden ocean mountain forest metro transit power light wave signal point bridge gate
 compass anchor harbor crown royal liberty heritage modern future next quick simple true better digital mobile social public credit
 equity risk weather price science cancer school travel auto climate water wind farm""".split()
KINDS = """Inc. LLC Ltd GmbH AG Group Corp Technologies Systems Partners Holdings Bank Labs Solutions Capital Media Energy Insurance Consulting Services
 Agency Advisors Software Data Research Analytics Networks Motors Foods Airlines Logistics Pharma Brothers Industries Enterprises International
 Ventures Realty Security Robotics Interactive Games Press Publishing Records Studios Hotels Stores Mutual Trust Securities Associates Company Co.
 LLP LLP PLC plc Ltd. LP S.r.l. S.p.A. B.V. S.A. SARL Pty Centre Center Clinic Housing Association Inc Corporation Corp. Limited Health Electronics Design Express Movers Builders Properties Finance Telecom Semiconductor Biotech Works Union""".split()
# What stands before the name of a firm, by language.
BEFORE = {
    "de": "Autohaus Volksbank Bäckerei Metzgerei Spedition Verlag Stiftung Kanzlei Apotheke Hotel Gasthof Landratsamt Universität Amtsgericht Krankenhaus Gemeinde Stadtwerke Sparkasse Reederei Brauerei Druckerei Gärtnerei Ingenieurbüro Steuerberatung Arztpraxis Zahnarztpraxis Gemeinschaftspraxis Wohnungsbaugenossenschaft Baugenossenschaft Schreinerei Tischlerei Malerbetrieb Autowerkstatt Reisebüro Buchhandlung Musikschule Grundschule Gymnasium Klinikum Hausverwaltung Landgericht Finanzamt Bezirksamt Pflegedienst Fahrschule Sanitätshaus Weingut Verein Raiffeisenbank Versicherung Logistik Elektro".split(),
    "fr": "Banque Clinique Société Groupe Éditions Garage Hôtel Mairie Université Hôpital Pharmacie Boulangerie Imprimerie Établissements Laboratoires Mutuelle Cabinet Transports Librairie Fondation Assurances Assurance Menuiserie Transports Électricité Plomberie Maçonnerie Carrosserie Ambulances Pompes Collège Lycée École Crèche Association Coopérative Syndicat Agence Études Entreprise Ateliers Atelier Domaine Château Brasserie Restaurant Café Tribunal Préfecture Clinique Centre Caisse Crédit Éts Ets".split(),
    "es": "Banco Clínica Grupo Construcciones Hotel Ayuntamiento Universidad Hospital Farmacia Panadería Imprenta Laboratorios Fundación Hermanos Restaurante Inmobiliaria Industrias Bodegas Talleres Colegio Seguros Editorial Transportes Talleres Asesoría Gestoría Despacho Bufete Instalaciones Electricidad Fontanería Carpintería Autoescuela Instituto Escuela Residencia Cooperativa Asociación Federación Caja Mutua Viajes Almacenes Supermercados Confecciones Cervecería Cafetería Óptica Juzgado Consejería Centro Servicios Sociedad Compañía".split(),
    "it": "Banca Clinica Gruppo Costruzioni Hotel Comune Università Ospedale Farmacia Panificio Tipografia Laboratori Fondazione Fratelli Ristorante Immobiliare Industrie Cantine Studio Casa Assicurazioni Trasporti Officine Officina Autofficina Editrice Edizioni Impresa Ditta Agenzia Cooperativa Associazione Liceo Istituto Scuola Albergo Trattoria Pasticceria Caseificio Oleificio Cantina Tenuta Azienda Cassa Credito Centro Ambulatorio Tribunale Questura Poliambulatorio Condominio Consorzio Società Autotrasporti Viaggi".split(),
    "nl": "Bank Ziekenhuis Gemeente Universiteit Apotheek Bakkerij Drukkerij Stichting Hotel Garage Notariskantoor Bouwbedrijf Makelaardij Slagerij Rederij Verzekeringen Woningstichting Woningcorporatie Uitgeverij Transportbedrijf Schildersbedrijf Installatiebedrijf Timmerbedrijf Loodgietersbedrijf Huisartsenpraktijk Tandartspraktijk Basisschool Scholengemeenschap Vereniging Coöperatie Rechtbank Provincie Verzorgingshuis Kwekerij Supermarkt Boekhandel Café Restaurant Reisbureau Accountantskantoor Autobedrijf Zorggroep Sportvereniging".split(),
    "pt": "Banco Clínica Grupo Construções Hotel Câmara Universidade Hospital Farmácia Padaria Gráfica Laboratórios Fundação Irmãos Restaurante Imobiliária Seguros Transportes Editora Oficina Escritório Escola Colégio Instituto Associação Cooperativa Construtora Supermercado Mercado Clube Prefeitura Tribunal Agência Consultório Laboratório Indústrias Comércio Serviços Sociedade Metalúrgica Viação Posto Auto".split(),
    "pl": "Bank Klinika Grupa Hotel Urząd Uniwersytet Szpital Apteka Piekarnia Drukarnia Fundacja Kancelaria Zakład Wydawnictwo Biuro Ubezpieczenia Przychodnia Gabinet Szkoła Liceum Przedszkole Stowarzyszenie Spółdzielnia Firma Hurtownia Sklep Restauracja Warsztat Przedsiębiorstwo Towarzystwo Sąd Gmina Starostwo Oficyna Browar Salon Centrum Agencja Transport Studio".split(),
    "en": "Hotel Café Restaurant Clinic Banco Studio Camp Fort Club Radio Casa Maison Team Studio Bistro Lycée".split(),
    "el": "Τράπεζα Νοσοκομείο Φαρμακείο Ξενοδοχείο Πανεπιστήμιο Δήμος Εκδόσεις Όμιλος Ασφάλειες".split(), "ru": "Банк Больница Группа Завод Университет Гостиница Компания Аптека Фонд".split(),
    "uk": "Банк Лікарня Група Завод Університет Готель Компанія Аптека Фонд".split(), "bg": "Банка Болница Група Завод Университет Хотел Компания Аптека Фондация".split(),
}
BEHIND = {
    "en": "Surgery|Medical Centre|Dental Practice|Primary School|High School|Housing Association|Legal|& Daughters|& Sons|Haulage|Plumbing|Roofing|Bakery|Breweries|Council|Borough Council|Veterinary Clinic|Care Home|Estate Agents|Solicitors|Accountants|Freight|Motors|Nurseries".split("|"),
    "el": "Ασφαλιστική|Μεταφορές|Κατασκευές|και Υιοί".split("|"), "ru": "Страхование|Логистик|Строй|и партнёры".split("|"), "uk": "Страхування|Логістик|Буд|і партнери".split("|"), "bg": "Застраховане|Транспорт|Строй|и синове".split("|"),
    "de": "Bau Logistik Versicherung Immobilien Maschinenbau Elektrotechnik Reisen Spedition Energie Pharma Medien Software Verwaltung".split(), "nl": "Bouw Verzekeringen Transport Vastgoed Installatie Reizen Makelaars Advies".split(),
    "fr": "et Fils|& Cie|Assurances|Voyages|Immobilier|Frères|Conseil".split("|"), "es": "y Asociados|e Hijos|Hermanos|Seguros|Viajes|Inmobiliaria".split("|"), "it": "e Figli|& C.|Assicurazioni|Viaggi|Immobiliare|Fratelli".split("|"),
    "pt": "e Filhos|Seguros|Viagens|& Irmãos".split("|"), "pl": "i Wspólnicy|Transport|Budownictwo|Ubezpieczenia".split("|"),
}
PLACES = "American British European Canadian Australian National International Global World Northern Southern Western Eastern Central Royal First United".split()
LINES = ["> ", ">", "> ", "| ", "## ", "** ", "// ", "?? ", "??? ", "!! ", ">> ", "*** ", "%% "]
LEGAL = {"de": ["GmbH", "AG", "KG", "GmbH & Co. KG", "e.V.", "SE", "OHG", "UG", "e.K.", "eG"], "fr": "SA SARL SAS EURL S.A. S.A.R.L. SNC SCI".split(), "es": ["S.A.", "S.L.", "SA", "SL", "S.L.U.", "S.A. de C.V.", "S.C."],
         "it": "S.p.A. S.r.l. SpA Srl S.n.c. S.a.s. s.r.l. s.p.a.".split(), "nl": "B.V. NV BV N.V. V.O.F. VOF".split(), "pt": "Ltda. S.A. Lda Lda. Ltda S/A Limitada".split(),
         "pl": ["Sp. z o.o.", "S.A.", "sp. z o.o.", "sp. j.", "Sp.k."], "el": ["Α.Ε.", "Ε.Π.Ε.", "ΑΕ", "Ο.Ε."], "ru": ["ООО", "АО", "ПАО"], "uk": ["ТОВ", "ПАТ"], "bg": ["ООД", "ЕООД", "АД"],
         "xx": ["s.r.o.", "a.s.", "d.o.o.", "Kft.", "Zrt.", "Oy", "AB", "A/S", "ApS", "ASA", "S.R.L.", "Pte. Ltd.", "K.K.", "Sdn Bhd"]}
STREETS = {
    "en": ["{w} Street", "{w} St", "{w} Road", "{w} Rd", "{w} Avenue", "{w} Ave", "{w} Lane", "{w} Drive", "{w} Dr", "{w} Court", "{w} Way", "{w} Blvd", "{w} Place", "{w} Close", "{n}th Street", "W {n}th St", "Old {w} Road", "{w} Park", "Highway {n}", "{w} Creek Road", "{w} Terrace", "{w} Crescent", "{w} Hill"],
    "de": ["{w}straße", "{w}str.", "{w}weg", "{w}gasse", "{w}platz", "{W} Straße", "Am {w}", "An der {w}", "Im {w}", "{w}allee", "{w}ring", "{w}-{w}-Straße", "Unter den {w}"],
    "fr": ["rue des {w}", "Rue de la {w}", "avenue des {w}", "route de {w}", "allée des {w}", "rue {w}", "rue de {w}", "rue du {w}", "avenue {w}", "avenue de la {w}", "boulevard {w}", "place {w}", "chemin de {w}", "quai {w}", "impasse {w}", "Rue {w}", "Avenue {w}", "Chemin {w}", "Cours {w}"],
    "es": ["Calle de los {w}", "Avenida de la {w}", "Travesía de {w}", "Calle {w}", "Calle de {w}", "C/ {w}", "Avenida {w}", "Avda. de {w}", "Plaza {w}", "Paseo de {w}", "Carrera {n}", "Camino {w}", "Ronda {w}"],
    "it": ["Via dei {w}", "Via delle {w}", "Via della {w}", "Viale dei {w}", "Strada Provinciale {n}", "Via {w}", "Via {w} {w}", "Viale {w}", "Piazza {w}", "Corso {w}", "Vicolo {w}", "Strada {w}", "Largo {w}", "Via del {w}", "Strada Statale {n}"],
    "nl": ["{w}straat", "{w}laan", "{w}weg", "{w}plein", "{w}gracht", "{w}kade", "{w}hof", "{w}dreef"],
    "pt": ["Rua das {w}", "Rua dos {w}", "Avenida da {w}", "Rua {w}", "Rua de {w}", "Rua do {w}", "Avenida {w}", "Travessa {w}", "Praça {w}", "Estrada {w}", "Largo {w}", "Rua {w} {w}"],
    "pl": ["ul. {w}", "ul. {w}", "al. {w}", "os. {w}", "plac {w}", "ulica {w}", "{w}"],
    "el": ["Οδός {w}", "Λεωφόρος {w}", "{w}", "{w}", "Πλατεία {w}", "οδός {w}"],
    "ru": ["ул. {w}", "улица {w}", "просп. {w}", "пер. {w}", "ул. {w}", "наб. {w}", "проспект {w}"], "uk": ["вул. {w}", "вулиця {w}", "просп. {w}", "пров. {w}"], "bg": ["ул. {w}", "бул. {w}", "ул. „{w}“", "жк. {w}"],
    "xx": ["{w} u.", "{w} utca", "{w} út", "{w} tee", "{w} {w} utca", "nám. {w}", "Na {w}", "Pod {w}", "U {w}", "trg {w}", "{w} cesta", "{w}tie", "{w}stien", "Aleea {w}", "{w} Cad.", "{w} Mah.", "{w}vej", "{w}gade", "{w}gatan", "{w}vägen", "{w}katu", "{w}tie", "{w} utca", "{w} u.", "{w} tér", "{w}veien", "{w}gata", "ulica {w}", "{w} ulica", "{w}ska", "Ul. {w}", "Calea {w}", "Strada {w}", "{w} Sokak", "Jalan {w}", "{w}u", "{w}ova", "{w} út", "Odos {w}", "{w}bakken", "{w}stræde", "Via {w}", "{w} puiestee", "{w}stígur", "{w}gränd"],
}


LANGUAGES = {"el": "greek", "ru": "russian", "uk": "ukrainian", "bg": "bulgarian", "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "nl": "dutch", "pt": "portuguese", "pl": "polish"}
JOBS = """engineer lawyer analyst chef pilot editor trader nurse teacher economist driver designer manager director chairman president chairwoman consultant
 recruiter accountant clerk agent broker researcher developer writer singer novelist founder owner intern executive spokesman spokeswoman representative
 songwriter blogger vocalist spokesperson curator columnist technician guard cashier programmer reporter photographer veteran employee officer strategist scientist""".split()
MADE = ["{w} {w} {V} {w} {w}.", "{W} {w} {V}.", "{V} {w} {w}", "{w} {V}, {w} {w}", "{W} {V} {w} {V} {w}.", "{w} {w} {V} {w}, {V} {w} {V}.", "{V}: {w} {w} {w}", "({V}) {w} {w}", "{W} {w}: {V}", "{w} \"{V}\" {w}", "{V} - {w} {w}", "{W}, {V}, {w} {w} {w}?", "{V}'s {w} {w}.", "{w} {w} {V}'s {w}", "{V} {w}", "{w} {V}"]


class Values:
    def __init__(self, seed, words_folder):
        self.r = random.Random(seed)
        names = gazetteer.faker_names()
        self.names = {k: ([n for n in f if len(n) > 1], [n for n in l if len(n) > 1]) for k, (f, l) in names.items() if f and l}
        first, last = gazetteer.census()
        self.census = (first, last)
        towns, self.countries = gazetteer.cities(1500)
        self.towns = [t for t in towns if t[0][0].isupper() and len(t[0]) < 30]
        self.by_land = {}
        for town in self.towns:
            self.by_land.setdefault(town[1], []).append(town)
        known = {gazetteer.fold(n) for n in first + last[:20000]} | {gazetteer.fold(t[0]) for t in self.towns[:8000]}
        first_names = {gazetteer.fold(n) for n in first} - set(gazetteer.WORDS_FIRST)
        self.common, self.every = {}, {}
        for code, language in LANGUAGES.items():
            words = (pathlib.Path(words_folder) / f"{language}.txt").read_text().split()
            words = [w for w in words if w.isalpha() and w.islower()]
            self.common[code] = [w for n, w in enumerate(words) if n < 250 or w not in known]
            # In small letters names that are words are words.
            self.every[code] = [w for n, w in enumerate(words[:6000]) if n < 250 or w not in first_names]
        self.rare = {}
        for code in ["en", "fr", "es"]:
            words = gazetteer.dictionary(words_folder, LANGUAGES[code])
            self.rare[code] = [w for w in words if 4 <= len(w) <= 13 and w.isalpha() and w not in known]
        self.codes = sorted({t[1] for t in self.towns})
        self.script = {}
        for land, found in gazetteer.own_script():
            self.script.setdefault(land, []).extend(found)

    @functools.cache
    def pool(self, locale, what):
        """Some addresses or firms of a locale of Faker, always the same."""
        import faker

        maker = faker.Faker(locale)
        maker.seed_instance(7)
        if what == "company":
            return [maker.company() for _ in range(300)]
        return [maker.address() for _ in range(300)]

    def pick(self, things):
        return things[self.r.randrange(len(things))]

    def coined(self):
        word = "".join(self.pick(SYLLABLES) for _ in range(self.r.choice([1, 2, 2, 3]))) + self.pick(TAILS)
        return word.capitalize()

    def lists(self, language):
        roll = self.r.random()
        if language in OWN and roll < (0.9 if language in ("el", "ru", "uk", "bg") else 0.6):
            return self.names[self.pick(OWN[language])]
        if roll < 0.3:
            return self.census[0][:2500], self.census[1]
        if roll > 0.975:
            return self.names[self.pick(OTHER)]
        return self.names[self.pick(LATIN)]

    def first(self, language, lists=None):
        return self.pick((lists or self.lists(language))[0])

    def last(self, language, lists=None):
        name = self.pick((lists or self.lists(language))[1])
        if self.r.random() < 0.09:
            # A surname that no list has, with the sounds of those that are on it.
            other = self.pick((lists or self.lists(language))[1])
            name = (name[: self.r.randrange(2, max(3, len(name)))] + other[max(1, len(other) // 2):]).replace("--", "-")
        share, particles = PARTICLES.get(language, (0, ""))
        if self.r.random() * 100 < share:
            return self.r.choice(particles.split("|")) + name
        roll = self.r.random()
        if roll < 0.02:
            return name + "-" + self.pick((lists or self.lists(language))[1])
        if roll < 0.03:
            return self.r.choice(["van ", "von ", "de ", "van der ", "da ", "Mc", "O'", "Al-", "El ", "Le", "Mac", "De", "Di"]) + name
        if roll < 0.045:
            # Towns that families are named after.
            return self.pick(self.towns)[0].split()[0]
        if roll < 0.06:
            return self.coined()
        return name

    def word(self, language, small=False):
        if small:
            words = self.every.get(language, self.every["en"])
            return words[int(len(words) * self.r.random() ** 1.6)]
        if self.r.random() < 0.15:
            return self.pick(self.rare.get(language, self.rare["en"]))
        words = self.common.get(language, self.common["en"])
        return words[int(len(words) * self.r.random() ** 2.2)]

    def filler(self, language):
        """Words that are nobody's name, capitalised as sentences and headings are."""
        r = self.r
        style = r.random()
        if style < 0.16:
            # As it is typed in chats or comes from speech.
            words = [self.word(language, True) for _ in range(r.randrange(3, 20))]
            for at in range(1, len(words)):
                roll = r.random()
                if roll < 0.05:
                    words[at] = r.choice([str(r.randrange(1, 3000)), f"{r.randrange(100)}%", "i", "im", "dont", "its", "24/7", "ok", "no. 7", "step 3", "line 12", "unit 4", "box 2", "top 10", "1st place", "room 12", "floor 3", "way 2"])
                elif roll < 0.1:
                    words[at - 1] += r.choice([",", ".", " -", ":", " ..."])
            return " ".join(words) + r.choice([".", "", "", "?"])
        words = [self.word(language) for _ in range(r.randrange(2, 16))]
        style = r.random()
        if style < 0.12:
            words = [w.capitalize() for w in words[:8]]
        elif style < 0.16:
            words = [w.upper() for w in words[:8]]
        else:
            words[0] = words[0].capitalize()
            for at in range(1, len(words)):
                roll = r.random()
                if language == "de" and roll < 0.3 or roll < 0.03:
                    words[at] = words[at].capitalize()
                elif roll < 0.04:
                    words[at - 1] += " " + r.choice(["Act", "Title", "Part", "War", "Chapter", "Section", "Phase", "Type", "Class", "Group", "Level", "Appendix"])
                    words[at] = r.choice(["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XII", "A", "B", "2", "1A"])
                elif roll < 0.06:
                    words[at] = r.choice([str(r.randrange(1, 3000)), f"{r.randrange(100)}%", f"{r.randrange(100)}.{r.randrange(100)}", "in " + str(r.randrange(1900, 2030)), "I", "I'm", "don't", "it's", "24/7", "ATM", "CEO", "CEOs", "PIN", "TV", "DVD", "VPN", "HR", "FAQ", "ID", "IT", "URLs", "USB", "PDF", "API", "No. 7", "3D"])
                elif roll < 0.12:
                    words[at - 1] += r.choice([",", ",", ";", " -", ":"])
                elif roll < 0.128:
                    words[at] = f"({words[at].capitalize()})"
                elif roll < 0.135 and at + 2 < len(words):
                    words[at] = r.choice("\"'(") + words[at].capitalize()
                    words[at + 1] += {"\"": "\"", "'": "'", "(": ")"}[words[at][0]]
        return " ".join(words) + r.choice([".", ".", ".", "?", "!", "", ":"])

    def code(self):
        """Lines of code, data, markup, lists of standards and measures, with words that are nobody's name."""
        r = self.r
        word = lambda: self.word("en")
        cap = lambda: self.word("en").capitalize()
        camel = lambda: word() + cap() + (cap() if r.random() < 0.3 else "")
        pascal = lambda: cap() + cap() + (cap() if r.random() < 0.3 else "")
        name = lambda: r.choice([cap, pascal, camel, word, lambda: word() + "_" + word(), lambda: (word() + "_" + word()).upper()])()
        number = lambda: str(r.randrange(10 ** r.randrange(1, 6)))
        unit = lambda: number() + " " + r.choice(["kOhm", "uF", "nF", "mA", "V", "Hz", "kHz", "MHz", "GHz", "kB", "MiB", "GB", "mm", "cm", "kg", "Nm", "dB", "rpm", "W", "kWh", "mAh", "ms", "pH", "VAC", "VDC", "PSI", "BTU"])
        standard = lambda: r.choice(["ISO", "IEC", "DIN", "EN", "RFC", "IEEE", "ANSI", "NIST", "ASTM", "CVE", "JIS", "BS"]) + " " + number()
        place = lambda: r.choice(["Figure", "Table", "Section", "Chapter", "Page", "Step", "Line", "Row", "Column", "Part", "Item", "Note", "Rule", "Annex", "Appendix", "Exhibit", "Question", "Volume"]) + " " + r.choice([number(), r.choice("ABCDEF"), "1." + r.choice("12345")])
        tag = lambda: r.choice(["div", "span", "td", "li", "h2", "label", "button", "option", "th", "Row", "Text", "View"])
        forms = [
            lambda: "{" + ", ".join(f'"{name()}": "{cap()}"' for _ in range(r.randrange(1, 5))) + "}",
            lambda: "{" + ", ".join(f'"{name()}": {r.choice([number(), "true", "null", chr(34) + name() + chr(34)])}' for _ in range(r.randrange(1, 5))) + "}",
            lambda: f"<{tag()} class=\"{cap()} {cap()}-{number()}\" id=\"{cap()}\"><{tag()}>{cap()}</{tag()}></{tag()}>",
            lambda: f"<{tag()}>{cap()}</{tag()}> <{tag()} {word()}={name()}>{cap()} {cap()}</{tag()}>",
            lambda: f"{r.choice(['const', 'let', 'var', 'final', 'static'])} {name()} = {r.choice(['new ', 'await ', '', 'require('])}{pascal()}({name()}, {number()});",
            lambda: f"import {word()}.{word()}.{pascal()};\npublic {r.choice(['class', 'interface', 'enum'])} {cap()} extends {pascal()} {{}}",
            lambda: f"class {cap()}({cap()}): {name()}: {cap()} = {pascal()}({name()})",
            lambda: f"struct {cap()} {{ {word()}: {cap()}, {word()}: Vec<{pascal()}> }} impl {pascal()} for {cap()} {{}}",
            lambda: f"std::{word()}<std::{word()}> {cap()}; {cap()}::{cap()}({name()});",
            lambda: f"{r.choice(['kubectl', 'docker', 'git', 'npm', 'cargo', 'make', 'grep', 'curl', 'ssh', 'aws'])} {word()} {word()} -n {word()}-{word()} -o {word()} | {r.choice(['grep', 'sort', 'head', 'wc'])} {cap()}",
            lambda: f"at {cap()}.{word()} (/{word()}/{word()}.js:{number()}:{number()})",
            lambda: f"Exception in {word()} \"{word()}\" {word()}.{word()}.{pascal()}: {cap()} {word()} {word()}",
            lambda: f"[{r.choice(['INFO', 'WARN', 'ERROR', 'DEBUG'])}] {pascal()}: {cap()} {word()} {word()} {number()}",
            lambda: ", ".join(standard() for _ in range(r.randrange(1, 6))),
            lambda: ", ".join(place() for _ in range(r.randrange(1, 5))),
            lambda: ", ".join(unit() for _ in range(r.randrange(1, 5))),
            lambda: ", ".join(r.choice(["H2SO4", "NaCl", "CO2", "C6H12O6", "NaOH", "CaCO3", "KCl", "FeO", "MgO", "LiPo", "mRNA", "DNA", "pH", "HbA1c", "LDL"]) for _ in range(r.randrange(2, 5))),
            lambda: f"{r.choice(['ETag', 'Accept', 'Cache-Control', 'Content-Type', 'Vary', 'Host', 'Server', 'Expires', 'Location', 'Age', 'Link', 'Via', 'Allow', 'Range'])}: {r.choice([name(), number(), 'W/' + chr(34) + number() + 'a-18' + chr(34)])}",
            lambda: f"{cap()}: {cap()}\n{cap()}: {cap()}\n{cap()}: {number()}",
            lambda: f"| {cap()} | {cap()} | {number()} |\n| {cap()} | {word()} | {number()} |",
            lambda: f"{cap()},{cap()},{cap()}\n{number()},{number()},{word()}\n{number()},{number()},{word()}",
            lambda: f"{word()}-{number()}-{r.choice('ABC')}, part {number()}-{r.choice('ABC')}{number()}, lot {r.choice('LMB')}{number()}-{number()}".upper() if r.random() < 0.3 else f"order ORD-{number()}-REV-{r.choice('ABCD')}, part {number()}-{r.choice('ABC')}2",
            lambda: f"SELECT {cap()}, {cap()} FROM {pascal()} WHERE {cap()} = '{cap()}' ORDER BY {cap()};",
            lambda: f"{name()}: {name()}  # {cap()} {word()}\n{name()}: {number()}",
            lambda: f"{cap()} > {cap()} > {cap()} {cap()}",
            lambda: f"enum {cap()} {{ {cap()}, {cap()}, {cap()} }}",
            lambda: f"`{name()}` and `{cap()}` {word()} the {pascal()} {word()}.",
            lambda: f"- [ ] {cap()} {word()} {word()}\n- [x] {cap()} {word()}\n* {cap()}: {word()}",
            lambda: f"# {cap()} {cap()}\n## {cap()}\n### {cap()} and {cap()}",
        ]
        return "\n".join(self.pick(forms)() for _ in range(r.choice([1, 1, 2, 3])))

    def made(self, language):
        """A value among words that say nothing about it."""
        slots = ["PER", "PER", "PER", "ORG", "LOC", "LOC", "ADR", "FIRST", "LAST"]
        form = self.pick(MADE)
        form = re.sub(r"\{([wWV])\}", lambda m: "{" + self.pick(slots) + "}" if m[1] == "V" else (self.word(language).capitalize() if m[1] == "W" else self.word(language)), form)
        return form

    def person(self, language):
        lists = self.lists(language)
        first, last = self.first(language, lists), self.last(language, lists)
        roll = self.r.random()
        if roll < 0.62:
            return f"{first} {last}"
        if roll < 0.74:
            return f"{first} {self.r.choice('ABCDEFGHIJKLMNPRSTVW')}{self.r.choice(['.', '.', ''])} {last}"
        if roll < 0.79:
            return f"{first} {self.first(language, lists)} {last}"
        if roll < 0.81:
            return f"{first[0]}. {last}"
        if roll < 0.83:
            return f"{first} {last} {self.r.choice(['Jr.', 'II', 'III', 'MD', 'PhD', 'Sr.', 'DDS', 'Jr'])}"
        if roll < 0.85:
            return f"{first} {last}".upper()
        if roll < 0.87:
            return f"{first} {last} {self.last(language, lists)}"
        if roll < 0.94:
            return first
        return last

    def org(self, language):
        last = lambda: self.pick(self.lists(language)[1])
        word = lambda: self.pick(WORDS).capitalize()
        legal = LEGAL.get(language, KINDS[:7]) if self.r.random() < 0.9 else LEGAL["xx"]
        roll = self.r.random()
        if roll < (0.05 if language == "en" else 0.1):
            return self.pick(self.pool(self.pick(ADDRESSES.get(language, ADDRESSES["en"])), "company")).strip()
        if language in BEFORE and roll < (0.09 if language == "en" else 0.5):
            before, behind = self.pick(BEFORE[language]), self.pick(BEHIND.get(language, BEHIND['en']))
            town = lambda: self.city(language)
            noun = lambda: self.word(language).capitalize()
            return self.pick([
                lambda: f"{before} {last()}", lambda: f"{before} {last()}", lambda: f"{before} {town()}", lambda: f"{before} {self.coined()}", lambda: f"{before} {noun()}", lambda: f"{before} {noun()} {noun()}",
                lambda: f"{before} {last()} {self.pick(legal)}", lambda: f"{before} {last()} {self.pick(legal)}", lambda: f"{last()} {behind}", lambda: f"{last()} {behind} {self.pick(legal)}", lambda: f"{town()} {behind}", lambda: f"{self.coined()} {behind}",
                lambda: f"{last()} & {self.r.choice(['Söhne', 'Sohn', 'Zonen', 'Zoon', 'Partner', last()])}" if language in ("de", "nl") else f"{before} {last()} {behind}",
                lambda: f"{before} {last()}", lambda: f"{before} {last()} & {last()}", lambda: f"{before} {self.r.choice('ABCDEFGKLMNPRST')}. {last()}", lambda: f"{before} {noun()} {behind}",
                lambda: f"{before} {self.r.choice({'fr': ['des', 'de la', 'du', 'Saint'], 'es': ['de la', 'del', 'San'], 'it': ['della', 'del', 'San', 'Villa'], 'nl': ['De', 'Het', 'van'], 'pt': ['da', 'do', 'São'], 'pl': ['pod', 'w'], 'de': ['am', 'zum', 'Sankt']}.get(language, ['de', 'La', 'St.']))} {noun()}",
            ])()
        forms = [
            lambda: f"{last()}, {last()} and {last()}", lambda: f"{last()}-{last()}", lambda: f"{last()} {self.pick(KINDS)}", lambda: f"{last()} and {self.r.choice(['Sons', last()])}",
            lambda: f"{last()} & {last()}", lambda: f"{last()} {self.pick(legal)}", lambda: self.coined(), lambda: self.coined(), lambda: self.coined(), lambda: f"{self.coined()} {self.pick(KINDS + legal)}",
            lambda: f"{word()} {word()}", lambda: f"{word()} {word()}", lambda: f"{word()}{self.pick(WORDS)}", lambda: f"{word()} {self.pick(KINDS)}", lambda: f"{word()}{word()}", lambda: f"{word()} {word()} {self.pick(KINDS + legal)}",
            lambda: f"{self.pick(WORDS).upper()}", lambda: "".join(self.r.choice("ABCDEFGHIKLMNOPRSTUVW") for _ in range(self.r.choice([3, 3, 4]))),
            lambda: f"University of {self.pick(self.towns)[0]}", lambda: f"{self.pick(self.towns)[0]} {self.r.choice(['University', 'Hospital', 'Bank', 'Airlines', 'Insurance', 'Council'])}", lambda: f"{self.coined()} {word()}", lambda: f"The {word()} {self.r.choice(['Group', 'Company', 'Trust', 'Foundation'])}",
            lambda: f"{word()}{self.pick(TAILS)}", lambda: f"{word()}{self.pick(TAILS)} {word()}",
            lambda: f"{self.word('en').capitalize()}{self.word('en')}", lambda: f"{self.word('en').capitalize()}{self.word('en')}", lambda: f"{self.word('en').capitalize()}{self.word('en').capitalize()}",
            lambda: f"{self.pick(PLACES)} {self.word('en').capitalize()} {self.pick(KINDS)}",
            lambda: f"{self.word('en').capitalize()} {self.pick(KINDS)}", lambda: f"{last()} {self.word('en').capitalize()} {self.pick(KINDS)}", lambda: f"{self.pick(PLACES)} {word()}", lambda: f"{last()} {self.pick(KINDS)}",
            lambda: f"{self.r.choice(['e', 'i', 'My', 'Go', 'Smart', 'Open', 'Pro'])}{self.word('en').capitalize()}", lambda: f"{self.coined()} {self.pick(KINDS)}, {self.r.choice(['Inc.', 'LLC', 'Ltd.'])}", lambda: f"{self.coined()}.{self.r.choice(['com', 'io', 'org', 'net'])}",
            lambda: f"{self.r.choice(['Bank', 'Institute', 'Ministry', 'Department', 'College', 'Bureau', 'Office', 'Museum'])} of {self.r.choice([self.pick(self.towns)[0], word(), self.pick(self.countries)])}", lambda: f"{last()} {self.r.choice(['&', 'and'])} {self.r.choice(['Co.', 'Co', 'Company', 'Partners'])}",
            lambda: f"{last()} {self.r.choice(['Brothers', 'Bros.', 'Bros'])}", lambda: f"{last()}'s", lambda: f"{self.first('en')}'s {self.word('en').capitalize()}", lambda: f"{self.coined()} {self.word('en').capitalize()} {self.pick(KINDS)}",
        ]
        return self.pick(forms)()

    def city(self, language):
        if language in ("el", "ru", "uk", "bg") and self.r.random() < 0.85:
            return self.pick(self.pick(self.script[self.pick([land for land in LANDS[language] if land in self.script])]))
        if language in LANDS and self.r.random() < 0.6:
            return self.pick(self.by_land[self.pick(LANDS[language])])[0]
        roll = self.r.random()
        if roll < 0.3:
            return self.towns[self.r.randrange(2500)][0]
        if roll < 0.65:
            return self.pick(self.by_land[self.pick(self.codes)])[0]
        if roll < 0.69:
            return self.coined()
        town = self.pick(self.towns)[0]
        if roll < 0.71:
            return f"{town} {self.r.choice('CEKNSVWØ')}"
        if roll < 0.73:
            other = self.pick(self.towns)[0].split()[0]
            return f"{town.split()[0]} {self.r.choice(['nad', 'sur', 'am', 'an der', 'de', 'di', 'del', 'upon', 'op', 'aan den', 'do', 'pod', 'la', 'v', 'im'])} {other}"
        if roll < 0.75:
            return f"{self.r.choice(['Bad', 'St.', 'Saint', 'San', 'Santa', 'Alt', 'Neu', 'Ober', 'Unter', 'Stara', 'Nowa', 'Le', 'La', 'El', 'Los', 'Port', 'Fort', 'North', 'South', 'West', 'East', 'New', 'Vila', 'Sint'])}{self.r.choice([' ', ' ', ' ', '-'])}{town}"
        return town

    def street_name(self, language):
        kind = language if self.r.random() < 0.55 else self.pick(list(STREETS))
        lists = self.lists(language)
        def word():
            roll = self.r.random()
            word = self.pick(self.towns)[0] if roll < 0.2 else self.pick(lists[0]) if roll < 0.35 else self.coined() if roll < 0.5 else self.pick(WORDS).capitalize() if roll < 0.6 else self.pick(lists[1])
            return word
        return re.sub(r"\{(.)\}", lambda m: str(self.r.randrange(1, 99)) if m[1] == "n" else word(), self.pick(STREETS[kind]))

    def zip(self):
        roll = self.r.random()
        digits = lambda n: "".join(self.r.choice("0123456789") for _ in range(n))
        if roll < 0.6:
            return digits(5)
        if roll < 0.75:
            return digits(4)
        if roll < 0.8:
            return f"{digits(2)}-{digits(3)}"
        if roll < 0.84:
            return f"{digits(5)}-{digits(4)}"
        if roll < 0.88:
            return f"{digits(4)} {self.r.choice('ABCDEGHJ')}{self.r.choice('ABCDEGHJ')}"
        if roll < 0.93:
            return f"{self.r.choice(['SW', 'M', 'EC', 'LS', 'B'])}{self.r.randrange(1, 30)} {self.r.randrange(1, 9)}{self.r.choice('ABDEFGH')}{self.r.choice('ABDEFGH')}"
        if roll < 0.945:
            return f"{digits(5)}-{digits(3)}"
        if roll < 0.955:
            return f"{digits(3)} {digits(2)}"
        if roll < 0.96:
            return f"{self.r.choice(['D', 'A', 'CH', 'F', 'NL', 'B', 'I', 'E', 'PL', 'DK', 'S', 'FI', 'L', 'CZ'])}-{digits(self.r.choice([4, 5]))}"
        if roll < 0.985:
            return f"{self.r.choice('HKMLV')}{self.r.randrange(9)}{self.r.choice('ABCEGH')} {self.r.randrange(9)}{self.r.choice('ABCEGH')}{self.r.randrange(9)}"
        return digits(6)

    def address(self, language):
        r = self.r
        if r.random() < (0.4 if language in ("el", "ru", "uk", "bg") else 0.14):
            locale = self.pick(ADDRESSES.get(language, ADDRESSES["en"]) if r.random() < 0.7 else ADDRESSES[self.pick(list(ADDRESSES))])
            lines = self.pick(self.pool(locale, "address")).strip().strip(",")
            return re.sub(r"\s*\n\s*", r.choice(["\n", "\n", ", ", ", ", " "]), lines)
        if r.random() < 0.05:
            box = r.choice(["PO Box {}", "P.O. Box {}", "Postfach {}", "PSC {}, Box {}\nAPO AA {}", "Unit {} Box {}\nDPO AE {}", "Unit {} Box {}\nFPO AP {}", "USS {n}\nFPO AE {}", "USNV {n}\nFPO AP {}", "PSC {}, Box {}\nAPO AE {}"])
            return re.sub(r"\{\}", lambda m: str(r.randrange(100, 99999)), box).replace("{n}", self.pick(self.census[1]))
        number = str(r.randrange(1, 200) if r.random() < 0.5 else r.randrange(1, 9999)) + (r.choice("abc") if r.random() < 0.06 else "")
        street, city = self.street_name(language), self.city(language)
        first = r.random() < (0.65 if language == "en" else 0.15)
        line = f"{number} {street}" if first else f"{street} {number}" + ("." if r.random() < 0.1 else "")
        if r.random() < 0.18:
            line = f"{r.randrange(1, 99999)} {line}"
        if language == "fr" and r.random() < 0.6:
            line = f"{number}{r.choice(['', ',', ' bis'])} {street}"
        parts = [line]
        if r.random() < 0.35:
            parts.append(f"{r.choice(['Apt.', 'Suite', 'Apt', 'Unit', 'Floor', 'Apt. #', 'Flat', '2. OG,', 'Bte', 'piso', 'm.', 'int.', 'Etage'])} {r.randrange(1, 999)}")
        code = self.zip() if r.random() < 0.8 else ""
        state = r.choice(["CA", "NY", "TX", "QC", "NO", "ON", "WA", "IL", "FL", "MI", "RS", "SP", "VIC", "NSW", "CO"]) if r.random() < 0.3 else ""
        town = city.upper() if r.random() < 0.12 else city
        if not state and r.random() < 0.04:
            # A field that an export has left empty.
            state = r.choice(["nan", "nan", "None", "NULL", "N/A", "null", "-"])
        if r.random() < 0.08 and language in LINKED:
            return f"{line} {r.choice(LINKED[language])} {f'{code} ' if code and r.random() < 0.4 else ''}{town}"
        roll = r.random()
        if roll < 0.12:
            tail = ""
        elif roll < 0.4:
            tail = f"{code} {town}".strip()
        elif roll < 0.75:
            tail = f"{town}{', ' + state if state else ''} {code}".strip()
        else:
            tail = r.choice(["{t}, {s} {z}", "{t}\n {z}", "{t}\n, {s}\n {z}", "{t}\n, {s}\n {c} {z}", "{t}\n {c} {z}", "{t}, {c}", "{t} {c}", "{t} {s}", "{t}\n{c}"])
            tail = tail.replace("{t}", town).replace("{s}", state or "GA").replace("{z}", code or "00184").replace("{c}", self.pick(self.countries))
        if tail:
            parts.append(tail)
        if r.random() < 0.15:
            parts.append(self.pick(self.countries))
        return r.choice([", ", ", ", "\n", "\n", " ", "\n ", " "]).join(parts)

    def value(self, slot, language):
        r = self.r
        if slot.startswith("UPPER_"):
            value, label = self.value(slot[6:], language)
            return value.upper(), label
        if slot.startswith("lower_"):
            value, label = self.value(slot[6:], language)
            return value.lower(), label
        if slot in ("PER", "TITLE_PER"):
            return self.person(language), "PER"
        if slot == "FIRST":
            return self.first(language), "PER"
        if slot == "LAST":
            return self.last(language), "PER"
        if slot == "CITY":
            city = self.city(language)
            return (city.upper() if r.random() < 0.06 else city), "LOC"
        if slot == "COUNTRY":
            return self.pick(self.countries), "LOC"
        if slot == "LOC":
            return self.value(r.choice(["CITY", "CITY", "COUNTRY"]), language)
        if slot == "ORG":
            return self.org(language), "ORG"
        if slot == "ADR":
            return self.address(language), "ADR"
        if slot == "STREET":
            street = self.street_name(language)
            return (street if r.random() < 0.5 else f"{r.randrange(1, 300)} {street}" if r.random() < 0.5 else f"{street} {r.randrange(1, 300)}"), "ADR"
        if slot == "PHONE":
            return r.choice(["+49 30 {a}{b}", "({c}) {c}-{d}", "{c}-{c}-{d}", "0{c} {a} {a}", "+1-{c}-{c}-{d}", "{c} {c} {c}"]).format(a=r.randrange(100, 999), b=r.randrange(100, 9999), c=r.randrange(200, 999), d=r.randrange(1000, 9999)), None
        if slot == "EMAIL":
            return f"{self.first('en').split()[0].lower()}.{r.randrange(99)}@{self.coined().lower()}.com", None
        if slot == "URL":
            return f"https://www.{self.coined().lower()}.org/", None
        if slot == "FORM":
            return self.pick(FORMS.get(language, FORMS["en"]).split("|")), None
        if slot == "DATE" and r.random() < 0.5:
            month = self.pick(MONTHS.get(language, MONTHS["en"]).split())
            d, y = r.randrange(1, 29), r.randrange(1940, 2030)
            if language == "en":
                return r.choice([f"{month} {d}, {y}", f"{d} {month} {y}", f"{month} {d}", f"{month} {y}", f"{d} {month}", f"{month} {d}th, {y}"]), None
            if language in ("es", "pt"):
                return r.choice([f"{d} de {month} de {y}", f"{d} de {month}", f"{month} de {y}"]), None
            return r.choice([f"{d}{'.' if language == 'de' else ''} {month} {y}", f"{month} {y}", f"{d}{'.' if language == 'de' else ''} {month}"]), None
        if slot == "DATE":
            return r.choice(["{d}.{m}.{y}", "{y}-{m:02}-{d:02}", "{d}/{m}/{y}", "{d} May {y}", "March {d}, {y}"]).format(d=r.randrange(1, 29), m=r.randrange(1, 13), y=r.randrange(1940, 2026)), None
        if slot == "YEAR":
            return str(r.randrange(1960, 2026)), None
        if slot == "AGE":
            return str(r.randrange(1, 99)), None
        if slot == "TT":
            return " ".join(self.word("en").capitalize() for _ in range(r.choice([1, 2, 2, 3]))), None
        if slot == "NOUN":
            return self.word(language).capitalize(), None
        if slot == "JOB":
            return self.pick(JOBS), None
        if slot == "ZIP":
            return self.zip(), None
        if slot == "IBAN":
            code = "".join(r.choice("0123456789") for _ in range(20))
            return r.choice(["DE", "FR", "ES", "IT", "NL", "AT", "PL", "PT", "GB", "CH"]) + " ".join(code[at:at + 4] for at in range(0, 20, 4))[r.randrange(0, 1):], None
        if slot == "IP":
            return ".".join(str(r.randrange(1, 255)) for _ in range(4)), None
        if slot == "NUM":
            return str(r.randrange(1000, 10**9)), None
        raise ValueError(slot)

    def fill(self, template, language):
        template = template.replace("\\n", "\n")
        while True:
            chosen = re.sub(r"\[([^\[\]{}\n]*(?:\{\w+\}[^\[\]{}\n]*)*\|[^\[\]]*)\]", lambda m: self.pick(m[1].split("|")), template)
            if chosen == template:
                break
            template = chosen
        text, spans, at = "", [], 0
        for match in re.finditer(r"\{(\w+)\}", template):
            text += template[at:match.start()]
            if match[1].isupper() or match[1].startswith(("lower_", "UPPER_")):
                value, label = self.value(match[1], language)
                if label == "PER" and self.r.random() < (0.15 if match[1] == "LAST" else 0.07):
                    forms = FORMS.get(language, FORMS["en"]) if self.r.random() < 0.8 else self.pick(list(FORMS.values()))
                    text += self.pick(forms.split("|")) + " "
                if label:
                    spans.append([len(text), len(text) + len(value), label])
                text += value
            else:
                text += match[0]
            at = match.end()
        return quoted(self.r, text + template[at:], spans)


def quoted(r, text, spans):
    """Now and then a text with marks before each of its lines, as in answers to mails."""
    if "\n" not in text or r.random() > 0.08:
        return text, spans
    mark = r.choice(LINES)
    out, places = mark, []
    for c in text:
        places.append(len(out))
        out += c + (mark if c == "\n" else "")
    places.append(len(out))
    return out, [[places[s], places[e - 1] + 1, label] for s, e, label in spans]


# Languages in scripts other than Latin.
SCRIPTS = ("el", "ru", "uk", "bg")


def templates(folder):
    found = []
    for path in sorted((HERE / folder).glob("*.txt")):
        separator = "\n====\n" if folder == "long" else "\n"
        found += [(path.stem, line) for line in path.read_text().strip().split(separator) if line.strip()]
    return found


def main(kind, seed, count, words_folder):
    values = Values(int(seed), words_folder)
    r = values.r
    every = templates("long" if kind == "long" else "templates")
    english = [t for t in every if t[0] == "en"]
    none = [t for t in every if t[0] == "none"]
    others = [t for t in every if t[0] not in ("en", "none", *SCRIPTS)]
    scripts = [t for t in every if t[0] in SCRIPTS]
    for number in range(int(count)):
        if kind == "long":
            language, template = every[number % len(every)]
            text, spans = values.fill(template, language)
        else:
            text, spans = "", []
            parts = r.choice([1, 1, 1, 1, 2, 2, 3])
            roll = r.random()
            language_pool = english if roll < 0.56 else others if roll < 0.94 else scripts
            for _ in range(parts):
                pool = none if none and r.random() < 0.22 else language_pool
                language, template = values.pick(pool)
                roll = r.random()
                if roll < 0.22:
                    template = values.made(language)
                elif roll < 0.27:
                    # Braces are slots in templates.
                    template = values.code().replace("[", "(").replace("]", ")")
                    template = re.sub(r"\{(\w+)\}", r"{ \1 }", template)
                elif roll < 0.43:
                    template = values.filler(language if language != "none" else r.choice(["en", "en", "en", "de", "de", *LANGUAGES]))
                elif roll < 0.5:
                    template = values.filler(language) + " " + template
                elif roll < 0.58:
                    template += " " + values.filler(language)
                more, found = values.fill(template, "en" if language == "none" else language)
                if text:
                    text += r.choice([" ", "\n", "\n\n", " "])
                spans += [[s + len(text), e + len(text), l] for s, e, l in found]
                text += more
            if r.random() < 0.04:
                upper = gazetteer.plain(text.upper()) if language == "el" else text.upper()
                text = upper if len(upper) == len(text) else text
            elif r.random() < 0.13:
                text = text.lower() if len(text.lower()) == len(text) else text
        if kind == "train":
            at = lambda n: len(text[:n].encode())
            marks = ",".join(f"{at(s)}:{at(e)}:{label}" for s, e, label in spans)
            print(marks + "\t" + text.replace("\\", "\\\\").replace("\n", "\\n"))
        else:
            print(json.dumps({"text": text, "spans": spans, "language": language}, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
