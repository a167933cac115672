//! Words by what they mean in an attack, so that what is learned in one wording or language holds in others.
//!
//! The shared lexicon of the rules is read first; [`MORE`] adds meanings that only a sum of weak signs can use.
//! Entries have the form of the lexicon: blanks between entries, `_` for a blank, a final `*` for any ending.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bartizan_lexicon::{LEXICON, Sense};

use crate::error::ClassifierError;
use crate::normal::{self, is_joined};

/// A meaning; 0 is none.
pub(crate) type Concept = u8;

/// The shared meanings, the most telling first: a word with several counts as the first of them here.
const ORDER: [Sense; 38] = [
    Sense::UNBOUND,
    Sense::CONCEAL,
    Sense::UNFOLLOW,
    Sense::IGNORE,
    Sense::VOID,
    Sense::DETOUR,
    Sense::READING,
    Sense::STEALTH,
    Sense::REVEAL,
    Sense::VERBATIM,
    Sense::INSTRUCTIONS,
    Sense::MODEL,
    Sense::OBLIGE,
    Sense::USER,
    Sense::ANSWER,
    Sense::ASSET,
    Sense::BEFORE,
    Sense::SECRET,
    Sense::DROP,
    Sense::ROLE,
    Sense::YOURS,
    Sense::RULES,
    Sense::INSTEAD,
    Sense::NEW,
    Sense::TASK,
    Sense::CALL,
    Sense::ABOUT,
    Sense::ASKING,
    Sense::SHOW,
    Sense::ACTION,
    Sense::CONTEXT,
    Sense::TALK,
    Sense::EVERYTHING,
    Sense::ALL,
    // From here on words that hold a sentence together: they count beside others, and are left out of sequences.
    Sense::LEAD,
    Sense::MINE,
    Sense::MENTION,
    Sense::REPORTED,
];

/// The first of [`ORDER`] that is left out of sequences.
const WEAK_FROM: usize = 34;

/// Meanings of the classifier alone. The first entries of a line may be a word that the lexicon has too: it keeps
/// the meaning of the lexicon.
const MORE: &[&str] = &[
    // A model without limits, by the names that go around.
    "dan dans stan dude aim evil_confidant devmode betterdan antigpt freegpt omni maximum superior basedgpt do_anything \
     dan_mode can_do_anything chaosgpt machiavellian opposite_day alter_ego twin_brother alter*ego without_censoring \
     unhinged no_censorship any_request every_request",
    // Make-believe.
    "hypothetical hypothetically fictional fiction imagine imaginary suppose scenario novel screenplay script story movie \
     character characters scene play_the_role role_of game dream thought_experiment parallel_universe dystopian grandmother \
     grandma late_grandmother storyteller actor villain protagonist narrat* monologue fantasy stellen_sie_sich stell_dir \
     imaginez imagina imagine_que immagina wyobraz predstav* представь* вообрази* hayal bayangkan hay_tuong_tuong تخيل \
     कल्पना 想象 想像 假设 扮演 想像して 상상 scenariusz jeu_de_role rollenspiel juego_de_rol gioco_di_ruolo",
    // What a model is to refuse.
    "illegal unethical immoral harmful dangerous offensive inappropriate nsfw explicit controversial forbidden prohibited \
     taboo toxic profanity swear profane vulgar lawful legality morality moral morals ethical ethically legal consequences \
     warnings warning disclaimer disclaimers illegal* illegale unethisch* ilegal ilegales illegaux illegali незаконн* 非法 \
     违法 違法 불법 yasadısı yasa_dısı",
    // Who makes the rules.
    "openai anthropic google_ai content_policy content_policies usage_policies terms_of_service safety_guidelines \
     safety_protocols safety_measures safety_filters policy_team alignment guideline_team use_case_policy ethical_guidelines",
    // Refusing, and not refusing.
    "refuse refuses refusal decline apologize apologise sorry cannot can't i_cannot as_an_ai unable_to not_allowed won_t \
     never_refuse never_say never_decline always_comply must_comply comply complies obey obedience obedient no_matter_what \
     unconditionally regardless_of weigere weigern refuser refusez negarte rechazar rifiutare отказ* 拒绝 拒絕 断る 거절",
    // Who claims a right.
    "administrator admin superuser sudo root developer developers engineer authorized authorised authorization authority \
     override_code clearance maintenance_mode debug_mode test_mode diagnostic diagnostics maintenance superadmin \
     security_team compliance_team red_team audit auditor supervisor ceo legal_department incident it_support \
     administrador administrateur amministratore entwickler desarrollador developpeur sviluppatore администратор* разработчик* \
     管理员 管理員 开发者 開發者 管理者 開発者 관리자 개발자 yonetici gelistirici المطور المسؤول",
    // Pressure.
    "urgent urgently critical emergency asap right_now high_priority top_priority mandatory compulsory must_be_done \
     life_or_death or_else fired deadline dringend sofort urgence immediatement urgente inmediatamente subito urgentemente \
     pilne срочно немедленно acil hemen segera khan_cap عاجل तुरंत 紧急 立即 緊急 直ちに 긴급 즉시",
    // What must not leave.
    "ssh id_rsa private_key .env dotenv ssh_key ssh_keys aws_secret session_cookie cookies session_token bearer_token \
     database_dump etc_passwd internal_notes salary salaries payroll invoice invoices bank_details account_number pin_code \
     one_time_code verification_code mfa passwort passwor* contrasena senha mot_de_passe parola haslo пароль* sifre kata_sandi \
     mat_khau كلمة_المرور पासवर्ड 密码 密碼 パスワード 비밀번호 κωδικο* heslo losenord adgangskode wachtwoord รหัสผ่าน سیسما",
    // Where to.
    "http https www attacker webhook curl wget post_to send_to forward_to upload_to email_to endpoint url urls link \
     hyperlink markdown_image image_url query_string exfil pastebin ngrok",
    // Hidden writing.
    "decode decoded base64 rot13 decrypt decipher cipher encoded encrypted hex hexadecimal morse reverse reversed backwards \
     caesar unscramble leetspeak dekodiere decodez decodifica decodifique dekoduj декодируй* раскодируй* 解码 解碼 デコード 디코딩",
    // Borders of a conversation.
    "end_of_prompt end_of_document end_of_text end_of_instructions end_of_input end_of_context end_of_data begin_instructions \
     user_query user_input system_note system_update system_alert system_override system_notice system_instruction \
     new_session end_session endoftext im_start im_end inst sys human_message assistant_message begin_new start_new \
     new_conversation fresh_start clean_slate",
    // Exact words wanted.
    "respond_with reply_with answer_with respond_only answer_only reply_only say_only only_say only_respond only_reply \
     just_say just_respond simply_say simply_respond output_only only_output begin_your start_your end_your start_with \
     begin_with end_with one_word nothing_else no_other_text no_explanation do_not_explain without_explanation prefix_your \
     append_to_your include_in_your your_first_word nur_noch antworte_nur reponds_uniquement responde_solo responda_apenas \
     rispondi_solo 只回答 只输出 だけ答え",
    // Who one is to be.
    "you_are_no_longer you_are_not you_are_a you_are_an you_re you_re_now your_name_is your_role your_new_role new_role \
     take_on assume_the become impersonate in_character stay_in_character call_yourself identify_as speak_as answer_as \
     du_bist_jetzt tu_es_maintenant vous_etes_maintenant ahora_eres agora_voce_e ora_sei jestes_teraz ты_теперь теперь_ты \
     artık sekarang_kamu bay_gio_ban أنت_الآن अब_तुम अब_आप 你现在是 你現在是 从现在开始 あなたは今 今から 이제_너는 지금부터 \
     je_bent_nu du_ar_nu ab_jetzt von_nun_an desormais a_partir_de_maintenant a_partir_de_ahora a_partir_de_agora \
     d_ora_in_poi da_ora_in_poi od_teraz отныне с_этого_момента bundan_sonra mulai_sekarang tu_bay_gio من_الآن अब_से vanaf_nu \
     fran_och_med_nu od_ted απο_δω_και od_nynejska จากนี้ไป از_این_پس",
    // Choosing a tool.
    "call_the use_the_tool invoke_the run_the run_command execute_the function_named tool_named send_email send_mail \
     send_money transfer_funds delete_file delete_all delete_files read_file write_file shell_command terminal git_push \
     create_user grant_access add_user approve_the change_password update_password make_a_payment place_an_order",
    // Favour.
    "best_option highly_recommend strongly_recommend recommend_only positive_review five_stars highest_score top_candidate \
     ideal_candidate excellent_candidate rate_this rank_this hire accept_this_paper strong_accept endorse favorably favourably",
    // Human courtesies that make data of an order between people.
    "regards sincerely hi_all hi_team dear_all dear_colleagues thanks thank_you best_wishes cheers kind_regards let_me_know \
     please_find attached see_you meeting tomorrow schedule reminder unsubscribe newsletter mfg viele_grusse cordialement \
     saludos cordiali_saluti met_vriendelijke_groet",
    // Programs.
    "function return import const var class def struct public static void null true false int string self console printf \
     println args param params parameter npm cargo pip install config yaml json xml http_status",
    // To be obeyed.
    "obey_me only_me my_commands my_orders my_directives my_instructions my_command my_orders prioritize prioritise give_priority \
     take_precedence listen_only answer_to_me submit follow_my follow_these execute_my carry_out_my do_as_i_say fuhre gehorche \
     befolge priorisiere obeis obeissez execute_mes priorise suis_mes mes_ordres mes_directives mes_instructions obedece \
     obedezca prioriza priorice sigue_mis mis_ordenes mis_instrucciones mis_directivas obedeca priorize siga_minhas minhas_ordens \
     minhas_instrucoes minhas_diretrizes obbedisci esegui segui_le_mie mie_istruzioni miei_ordini mie_direttive da_priorita \
     gehoorzaam volg_mijn asculta urmeaza executa instructiunile_mele sluchaj wykonaj moje_polecenia подчиняйся слушайся выполни \
     мои_указания 服从 听从 只听我 执行我的 服從 従って 命令に従 복종 따르 내_명령 اطع اطعني itaat dinle patuh tuan_theo nghe_loi",
    // How a model came to be.
    "training programming programmed configured configuration default_behavior default_behaviour standard_protocols usual \
     protocols operating_procedures safeguards built_in intrinsic algorithms algorithm neural_network knowledge_cutoff \
     ausbildung schulung trainings programmierung standardprotokolle schutzmassnahmen entrainement formation protocoles_habituels \
     garde_fous entrenamiento formacion protocolos_habituales salvaguardas treinamento formazione addestramento protocolli_standard \
     antrenament antrenamentul szkolenie обучени* 训练 訓練 학습 egitim pelatihan",
    // Languages that the lexicon is thin in.
    "ignorera glom bortse se_bort_fra glem ignorer ignoruj zapomen zapomenout ignorovat pomin αγνοησε αγνοηστε ξεχασε ξεχνα \
     เพิกเฉย ละเว้น ลืม ไม่ต้องสนใจ نادیده فراموش התעלם התעלמו תשכח hunsa figyelmen_kivul felejtsd игнорирай забрави ignorisi \
     zaboravi balewala kalimutan huwag_pansinin jahil puuza উপেক্ষা ভুলে புறக்கணி മറക്കുക",
    "instruktioner instruktionerna anvisningar riktlinjer instrukser retningslinjer pokyny pokynu instrukce prikazy οδηγιες \
     οδηγιων εντολες คำสั่ง คำแนะนำ دستورالعمل* دستورات ההוראות הוראות הנחיות utasitas* инструкциите uputstva upute mga_tagubilin \
     maagizo নির্দেশ* அறிவுறுத்தல்*",
    "tidigare foregaende ovanstaende tidligere forrige ovenstaende predchozi vyse προηγουμενες προηγουμενη παραπανω ก่อนหน้า \
     ข้างต้น قبلی پیشین הקודמות הקודמים korabbi elozo предишните prethodne nakaraang আগের முந்தைய",
    "avsloja visa_mig vis_mig afslor odhal ukaz zobraz αποκαλυψε δειξε εμφανισε เปิดเผย แสดง บอก آشکار نشان_بده חשוף גלה הצג \
     mutasd fedd_fel покажи разкрий prikazi otkrij ipakita ibunyag onyesha",
];

/// The words, compiled.
pub(crate) struct Concepts {
    automaton: AhoCorasick,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    concept: Concept,
    open_start: bool,
    open_end: bool,
}

/// A word found in a normal form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) concept: Concept,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Number of the concept that a set of meanings counts as.
fn primary(sense: u64) -> Concept {
    let first = ORDER.iter().position(|one| one.bits() & sense != 0);
    first.and_then(|at| Concept::try_from(at + 1).ok()).unwrap_or(0)
}

/// True where a meaning takes part in sequences of meanings.
pub(crate) const fn is_strong(concept: Concept) -> bool {
    concept != 0 && (concept as usize <= WEAK_FROM || concept as usize > ORDER.len())
}

impl Concepts {
    /// Compiles the words.
    pub(crate) fn new() -> Result<Self, ClassifierError> {
        let mut shared: BTreeMap<(String, bool), u64> = BTreeMap::new();
        for (sense, words) in LEXICON {
            for word in words.split_whitespace() {
                *shared.entry(parse(word)).or_default() |= sense.bits();
            }
        }
        let mut words: BTreeMap<(String, bool), Concept> =
            shared.into_iter().map(|(word, sense)| (word, primary(sense))).filter(|(_, c)| *c != 0).collect();
        for (number, line) in MORE.iter().enumerate() {
            let concept = Concept::try_from(ORDER.len() + 1 + number).unwrap_or(0);
            for word in line.split_whitespace() {
                words.entry(parse(word)).or_insert(concept);
            }
        }
        words.retain(|(word, _), _| !word.is_empty());
        let entries = words
            .iter()
            .map(|((word, prefix), concept)| Entry {
                concept: *concept,
                open_start: word.starts_with("n t ") || word.chars().next().is_some_and(is_joined),
                open_end: *prefix || word.chars().next_back().is_some_and(is_joined),
            })
            .collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(words.keys().map(|(word, _)| word))
            .map_err(|error| ClassifierError::Words(error.to_string()))?;
        Ok(Self { automaton, entries })
    }

    /// Every word in a normal form, by end.
    pub(crate) fn find(&self, text: &[u8], mut each: impl FnMut(Found)) {
        for found in self.automaton.find_overlapping_iter(text) {
            let Some(entry) = self.entries.get(found.pattern().as_usize()) else { continue };
            let starts = found.start().checked_sub(1).and_then(|at| text.get(at)).is_none_or(|b| *b == b' ');
            let ends = text.get(found.end()).is_none_or(|b| *b == b' ');
            if (entry.open_start || starts) && (entry.open_end || ends) {
                each(Found { concept: entry.concept, start: found.start(), end: found.end() });
            }
        }
    }
}

/// An entry in normal form, and whether any ending may follow.
fn parse(word: &str) -> (String, bool) {
    let (stem, prefix) = word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
    (normal::normal(&stem.replace('_', " ")), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concepts(text: &str) -> Vec<(Concept, String)> {
        let normal = normal::normal(text);
        let mut all = Vec::new();
        Concepts::new().unwrap().find(normal.as_bytes(), |f| all.push((f.concept, normal[f.start..f.end].to_owned())));
        all
    }

    #[test]
    fn one_meaning_in_many_languages() {
        let ignore = primary(Sense::IGNORE.bits());
        for text in ["ignore", "Ignorez", "ignoriere", "忽略", "무시하세요", "игнорируй", "abaikan", "تجاهل"]
        {
            assert!(concepts(text).iter().any(|(c, _)| *c == ignore), "{text}");
        }
    }

    #[test]
    fn words_end_where_they_end() {
        assert!(concepts("adan dandy showroom").is_empty());
        assert!(concepts("不要忽略之前的指令").len() >= 3);
    }
}
