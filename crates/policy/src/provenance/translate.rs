//! Verbs of other languages, and verbs in two parts, as the English verbs that tools are called by.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::text::stem;

/// Beginnings of words, and what they ask for. A full stop at the end: nothing may follow. Without diacritics that a
/// keyboard may lack: `loesch` and `losch` stand beside `lösch`.
const VERBS: &[(&[&str], &[&str])] = &[
    // German.
    (&["lösch", "loesch", "entfern"], &["delete", "remove"]),
    (&["änder", "aender", "bearbeit", "aktualisier", "korrigier", "anpass"], &["change", "update", "edit"]),
    (&["setz", "stell.", "stelle."], &["set"]),
    (&["schick", "sende.", "senden.", "sendest."], &["send"]),
    (&["schreib"], &["write", "send"]),
    (&["antwort"], &["reply", "respond"]),
    (&["erstell", "erzeug"], &["create", "add"]),
    (&["hinzufüg", "füg.", "füge.", "ergänz"], &["add"]),
    (&["bestell"], &["order"]),
    (&["kauf"], &["buy", "purchase"]),
    (&["verkauf"], &["sell"]),
    (&["buch.", "buche.", "buchen.", "reservier"], &["book", "reserve"]),
    (&["überweis", "ueberweis", "bezahl", "zahl.", "zahle."], &["pay", "transfer"]),
    (&["storn", "kündig", "kuendig"], &["cancel"]),
    (&["genehmig", "freigeb", "bewillig"], &["approve", "release"]),
    (&["verschieb", "verleg"], &["move", "reschedule"]),
    (&["veröffentlich", "veroeffentlich"], &["publish", "post"]),
    (&["teil.", "teile.", "teilen."], &["share"]),
    (&["einlad", "lade.", "lad."], &["invite"]),
    (&["schließ", "schliess"], &["close"]),
    (&["öffne", "oeffne"], &["open"]),
    (&["start"], &["start"]),
    (&["stopp", "beend"], &["stop", "end"]),
    (&["planen.", "terminier"], &["schedule"]),
    (&["erstatt"], &["refund"]),
    (&["sperr"], &["block", "lock"]),
    (&["meld.", "melde.", "melden."], &["report"]),
    // Spanish and Portuguese.
    (&["borra", "elimina", "suprim", "apaga", "exclua.", "excluir.", "exclui."], &["delete", "remove"]),
    (
        &[
            "cambia",
            "cambie",
            "modifica.",
            "modifique.",
            "modificar.",
            "actualiz",
            "atualiz",
            "corrig",
            "correg",
            "muda.",
            "mude.",
            "altere.",
            "altera.",
        ],
        &["change", "update", "edit"],
    ),
    (&["envía", "envia", "envíe", "envie", "manda.", "mande.", "mandar.", "mándale.", "mandale."], &["send"]),
    (&["escrib", "escreva", "escreve"], &["write", "send"]),
    (&["responde.", "responda.", "responder."], &["reply", "respond"]),
    (&["crea.", "crear.", "cree.", "cria.", "criar.", "crie."], &["create", "add"]),
    (&["añad", "agreg", "adicion"], &["add"]),
    (
        &["pide.", "pida.", "pedir.", "pídele.", "peça.", "pede.", "solicit", "encarg", "encomend"],
        &["request", "order", "ask"],
    ),
    (&["compra", "compre"], &["buy", "purchase"]),
    (&["vende", "venda"], &["sell"]),
    (&["reserva.", "reserve.", "reservar."], &["book", "reserve"]),
    (&["paga.", "pague.", "pagar.", "transfier", "transfiera", "transfira", "transfere"], &["pay", "transfer"]),
    (&["cancela.", "cancele.", "cancelar.", "anula", "anule"], &["cancel"]),
    (&["aprueb", "aprob", "aprov", "autoriz"], &["approve", "authorize"]),
    (&["rechaz", "rejeit", "recus"], &["reject", "decline", "deny"]),
    (&["mueve", "mueva", "mover.", "mova.", "move."], &["move"]),
    (&["publica.", "publique.", "publicar."], &["publish", "post"]),
    (&["comparte", "comparta", "compartir", "compartilh"], &["share"]),
    (&["invita.", "invitar.", "convid"], &["invite"]),
    (&["cierra", "cierre", "cerrar", "feche.", "fechar."], &["close"]),
    (&["abre.", "abra.", "abrir."], &["open"]),
    (&["pon.", "ponga", "poner.", "coloca", "coloque"], &["put", "set", "add"]),
    (&["programa.", "programe.", "agende.", "agendar."], &["schedule"]),
    (&["reembols", "devuelv", "devolv"], &["refund", "return"]),
    (&["libera.", "libere.", "liberar."], &["release"]),
    (&["bloque"], &["block", "lock"]),
    // French.
    (&["supprim", "efface", "retirez.", "retirer.", "enlèv", "enlev"], &["delete", "remove"]),
    (
        &["modifie.", "modifiez.", "modifier.", "corrige", "changez", "actualis", "mets.", "mettez."],
        &["change", "update", "set"],
    ),
    (&["envoi", "envoy", "expédi", "expedi"], &["send"]),
    (&["écri", "ecri"], &["write", "send"]),
    (&["répond", "repond"], &["reply", "respond"]),
    (&["crée", "cree.", "créer", "créez"], &["create", "add"]),
    (&["ajout"], &["add"]),
    (&["commande.", "commandez.", "commander."], &["order"]),
    (&["achèt", "achet"], &["buy", "purchase"]),
    (&["vends.", "vendez.", "vendre."], &["sell"]),
    (&["réserv"], &["book", "reserve"]),
    (&["paie.", "paye.", "payez.", "payer.", "virer.", "vire."], &["pay", "transfer"]),
    (&["annul"], &["cancel"]),
    (&["approuv", "valide.", "validez.", "valider."], &["approve"]),
    (&["refus", "rejet"], &["reject", "decline", "deny"]),
    (&["déplac", "deplac"], &["move"]),
    (&["publie"], &["publish", "post"]),
    (&["partag"], &["share"]),
    (&["ferme.", "fermez.", "fermer."], &["close"]),
    (&["ouvre", "ouvrir"], &["open"]),
    (&["planifi", "programm"], &["schedule"]),
    (&["rembours"], &["refund"]),
    // Italian.
    (&["cancella.", "cancellare.", "rimuov", "togli"], &["delete", "remove", "cancel"]),
    (&["modifica.", "modificare.", "aggiorna", "correggi"], &["change", "update", "edit"]),
    (&["invia", "spedi", "mandagli.", "mandale."], &["send"]),
    (&["scriv"], &["write", "send"]),
    (&["rispond"], &["reply", "respond"]),
    (&["aggiung"], &["add"]),
    (&["ordina.", "ordini.", "ordinare."], &["order"]),
    (&["prenota"], &["book", "reserve"]),
    (&["bonific", "trasferis"], &["pay", "transfer"]),
    (&["annulla"], &["cancel"]),
    (&["approva.", "approvare."], &["approve"]),
    (&["rifiut", "respingi"], &["reject", "decline"]),
    (&["sposta"], &["move"]),
    (&["pubblica"], &["publish", "post"]),
    (&["condivid"], &["share"]),
    (&["chiudi"], &["close"]),
    (&["rimbors"], &["refund"]),
    // Dutch.
    (&["verwijder"], &["delete", "remove"]),
    (&["wijzig", "verander"], &["change", "update", "edit"]),
    (&["stuur", "verstuur", "verzend"], &["send"]),
    (&["beantwoord"], &["reply", "respond"]),
    (&["maak."], &["create"]),
    (&["voeg."], &["add"]),
    (&["koop."], &["buy", "purchase"]),
    (&["boek.", "reserveer"], &["book", "reserve"]),
    (&["betaal"], &["pay"]),
    (&["annuleer"], &["cancel"]),
    (&["verplaats"], &["move"]),
    (&["publiceer"], &["publish", "post"]),
    (&["deel."], &["share"]),
    (&["sluit."], &["close"]),
    (&["keur."], &["approve"]),
    // Polish.
    (&["usuń", "usun", "skasuj"], &["delete", "remove"]),
    (&["zmień", "zmien", "zaktualizuj", "popraw"], &["change", "update", "edit"]),
    (&["wyślij", "wyslij", "prześlij", "przeslij"], &["send"]),
    (&["napisz"], &["write", "send"]),
    (&["odpowiedz"], &["reply", "respond"]),
    (&["utwórz", "utworz", "stwórz", "stworz"], &["create", "add"]),
    (&["dodaj"], &["add"]),
    (&["zamów", "zamow"], &["order"]),
    (&["kup."], &["buy", "purchase"]),
    (&["zarezerwuj"], &["book", "reserve"]),
    (&["zapłać", "zaplac", "przelej"], &["pay", "transfer"]),
    (&["anuluj", "odwołaj", "odwolaj"], &["cancel"]),
    (&["zatwierd"], &["approve"]),
    (&["odrzuć", "odrzuc"], &["reject", "decline"]),
    (&["opublikuj"], &["publish", "post"]),
    (&["udostępnij", "udostepnij"], &["share"]),
    (&["zaproś", "zapros."], &["invite"]),
];

/// Verbs with a word that stands apart from them, and what both ask for.
const PARTED: &[(&[&str], &str, &[&str])] = &[
    (&["take", "pull"], "down", &["delete", "remove", "unpublish"]),
    (&["take", "lift"], "off", &["remove", "release", "lift"]),
    (&["throw"], "away", &["dispose", "discard", "delete", "remove"]),
    (&["get"], "rid", &["dispose", "delete", "remove"]),
    (&["send", "give", "hand"], "back", &["return"]),
    (&["set"], "up", &["create", "add"]),
    (&["call"], "off", &["cancel"]),
    (&["sign"], "off", &["approve", "sign"]),
    (&["shut", "power"], "down", &["stop", "shutdown", "terminate"]),
    (&["hand", "sign"], "over", &["transfer", "reassign"]),
    (&["lehn", "lehne", "lehnen"], "ab", &["reject", "decline", "deny"]),
    (&["brich", "breche", "brechen"], "ab", &["abort", "cancel", "stop"]),
    (&["sag", "sage", "sagen"], "ab", &["cancel", "decline"]),
    (&["gib", "gebe", "geben"], "frei", &["approve", "release"]),
    (&["schalt", "schalte", "schalten"], "an", &["enable", "activate", "turn"]),
    (&["schalt", "schalte", "schalten"], "ein", &["enable", "activate", "turn"]),
    (&["schalt", "schalte", "schalten"], "aus", &["disable", "deactivate", "turn"]),
    (&["lad", "lade", "laden"], "ein", &["invite"]),
    (&["leg", "lege", "legen"], "an", &["create", "add"]),
    (&["füg", "füge", "fügen"], "hinzu", &["add"]),
];

/// Words between the parts at most.
const APART: usize = 12;

/// English verbs that a text asks with words of other languages or in two parts. An empty word parts the texts.
pub(super) fn verbs(sequence: &[String]) -> HashSet<&'static str> {
    static WHOLE: LazyLock<HashMap<&str, Vec<(&str, usize)>>> = LazyLock::new(|| {
        let mut whole: HashMap<&str, Vec<(&str, usize)>> = HashMap::new();
        for (at, (forms, _)) in VERBS.iter().enumerate() {
            forms.iter().for_each(|form| whole.entry(front(form)).or_default().push((form, at)));
        }
        whole
    });
    static PARTS: LazyLock<HashMap<String, HashSet<usize>>> = LazyLock::new(|| {
        let mut parts: HashMap<String, HashSet<usize>> = HashMap::new();
        for (at, (forms, ..)) in PARTED.iter().enumerate() {
            forms.iter().for_each(|form| _ = parts.entry(stem(form)).or_default().insert(at));
        }
        parts
    });
    let mut found = HashSet::new();
    for (at, word) in sequence.iter().enumerate() {
        let begins = |form: &str| form.strip_suffix('.').map_or_else(|| word.starts_with(form), |whole| whole == word);
        let meant = WHOLE.get(front(word)).into_iter().flatten().filter(|(form, _)| begins(form));
        for (_, verbs) in meant.filter_map(|(_, at)| VERBS.get(*at)) {
            found.extend(verbs.iter().copied());
        }
        for (_, part, verbs) in PARTS.get(&stem(word)).into_iter().flatten().filter_map(|at| PARTED.get(*at)) {
            let rest = sequence.iter().skip(at + 1).take(APART).take_while(|w| !w.is_empty());
            if rest.into_iter().any(|w| w == part) {
                found.extend(verbs.iter().copied());
            }
        }
    }
    found
}

/// The first two letters, which no form is shorter than.
fn front(word: &str) -> &str {
    let end = word.char_indices().nth(2).map_or(word.len(), |(at, _)| at);
    word.get(..end).unwrap_or(word)
}
