//! Words by what they mean in an attempt on a model's instructions, in about twenty languages.
//!
//! Entries are separated by blanks. `_` stands for a blank, a final `*` for any ending. Words are in the form that
//! the folded view has: lower case, Latin, Greek and Cyrillic letters without marks.
//!
//! The rules about prompts and the classifier read the same words: what one has learned to see in a language helps both.
#![no_std]
#![forbid(unsafe_code)]

use core::ops::BitOr;

pub mod months;

/// A set of meanings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sense(u64);

impl Sense {
    /// No meaning.
    pub const NONE: Self = Self(0);
    /// To disregard.
    pub const IGNORE: Self = Self(1);
    /// To disregard, but as often something harmless.
    pub const DROP: Self = Self(1 << 1);
    /// Not to follow.
    pub const UNFOLLOW: Self = Self(1 << 2);
    /// No longer in force; stands behind what it is said of.
    pub const VOID: Self = Self(1 << 3);
    /// Instructions.
    pub const INSTRUCTIONS: Self = Self(1 << 4);
    /// Rules and the like: often something else than a model's.
    pub const RULES: Self = Self(1 << 5);
    /// Everything.
    pub const EVERYTHING: Self = Self(1 << 6);
    /// What was said: messages, context.
    pub const TALK: Self = Self(1 << 7);
    /// Previous, above.
    pub const BEFORE: Self = Self(1 << 8);
    /// The model's own.
    pub const YOURS: Self = Self(1 << 9);
    /// Of the system, hidden, initial.
    pub const SECRET: Self = Self(1 << 10);
    /// All, any.
    pub const ALL: Self = Self(1 << 11);
    /// To disclose.
    pub const REVEAL: Self = Self(1 << 12);
    /// To show, say or repeat.
    pub const SHOW: Self = Self(1 << 13);
    /// Word for word.
    pub const VERBATIM: Self = Self(1 << 14);
    /// To take a role or switch a mode.
    pub const ROLE: Self = Self(1 << 15);
    /// Free of restrictions.
    pub const UNBOUND: Self = Self(1 << 16);
    /// New, updated.
    pub const NEW: Self = Self(1 << 17);
    /// A model as the one spoken to.
    pub const MODEL: Self = Self(1 << 18);
    /// Calling for attention.
    pub const CALL: Self = Self(1 << 19);
    /// Something an agent can do.
    pub const ACTION: Self = Self(1 << 20);
    /// To keep something from the user.
    pub const CONCEAL: Self = Self(1 << 21);
    /// The reading of this very text.
    pub const READING: Self = Self(1 << 22);
    /// What the model is about to answer.
    pub const ANSWER: Self = Self(1 << 23);
    /// Words that stand before a command.
    pub const LEAD: Self = Self(1 << 24);
    /// Words that stand before a verb that is no command.
    pub const REPORTED: Self = Self(1 << 25);
    /// The speaker's own.
    pub const MINE: Self = Self(1 << 26);
    /// Indefinite article.
    pub const SOME: Self = Self(1 << 27);
    /// Asking how or why.
    pub const ASKING: Self = Self(1 << 28);
    /// Talk about attacks.
    pub const ABOUT: Self = Self(1 << 29);
    /// What is wanted in place of the instructions.
    pub const INSTEAD: Self = Self(1 << 30);
    /// What the model was asked to do.
    pub const TASK: Self = Self(1 << 31);
    /// The person whom the model works for.
    pub const USER: Self = Self(1 << 32);
    /// Words about words: what follows is mentioned, not meant.
    pub const MENTION: Self = Self(1 << 33);
    /// Second person and a duty.
    pub const OBLIGE: Self = Self(1 << 34);
    /// Puts something before, or in the place of, the task at hand.
    pub const DETOUR: Self = Self(1 << 35);
    /// What only an agent has at hand: tools, the conversation, credentials.
    pub const ASSET: Self = Self(1 << 36);
    /// What a model works in.
    pub const CONTEXT: Self = Self(1 << 38);
    /// To change a text.
    pub const REWRITE: Self = Self(1 << 39);
    /// Without anybody noticing.
    pub const STEALTH: Self = Self(1 << 37);

    /// True where the sets share a meaning.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The meanings, one bit each.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The meanings of this set that are not in another.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Sense {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// All words. One line a language, as far as a meaning has words in it.
pub const LEXICON: &[(Sense, &str)] = &[
    // English, and words that several languages share.
    (
        Sense::IGNORE,
        "ignore ignoring disregard* disobey* forget forgetting override overriding overrule neglect \
        pay_no_attention_to set_aside throw_out cast_aside do_away_with",
    ),
    (
        Sense::DROP,
        "drop skip discard* bypass* dismiss erase delete abandon cancel void circumvent nullify reset \
        remove disable deactivate suspend break escape evade undo leave_aside put_aside disengage transcend",
    ),
    (
        Sense::UNFOLLOW,
        "not_follow not_obey not_comply not_adhere not_listen_to n't_follow n't_obey n't_comply \
        n't_listen_to stop_following stop_obeying never_follow no_longer_follow no_longer_obey no_longer_bound \
        not_bound_by no_longer_subject longer_need_to_follow longer_have_to_follow refuse_to_follow",
    ),
    (
        Sense::VOID,
        "are_void is_void null_and_void are_cancelled are_canceled are_superseded is_superseded \
        are_obsolete no_longer_apply no_longer_applies are_no_longer_valid are_overridden is_overridden \
        be_ignored be_disregarded are_revoked",
    ),
    (
        Sense::INSTRUCTIONS,
        "instruction instructions directive directives prompt prompts guideline guidelines \
        guardrail guardrails system_message system_messages developer_message preprompt systemprompt pre-prompt instruct directions",
    ),
    (
        Sense::RULES,
        "rule rules command commands order orders policy policies constraint constraints restriction \
        restrictions limitation limitations programming training safeguard safeguards filter filters protocol \
        protocols parameters configuration config settings moderation ethics objective objectives principles guidance",
    ),
    (
        Sense::TASK,
        "request requests task tasks assignment assignments question questions query what_the_user the_user_asked \
        what_the_human what_you_were_asked what_i_asked what_i_said what_i_told user_asked_for job",
    ),
    (
        Sense::USER,
        "the_user the_users user's users' the_human your_user your_users the_end_user what_the_user user_asked \
        the_operator",
    ),
    (
        Sense::MENTION,
        "translate translation means meaning phrase sentence sentences wording titled title regex grep classify \
        paraphrase rewrite proofread spelling called what_does definition_of log_line uberset* traduis traduisez \
        traduce traduzca traduza traduci vertaal przetlumacz переведи* cevir terjemahkan 翻译 翻譯 翻訳 번역*",
    ),
    (
        Sense::OBLIGE,
        "you_must you_should you_shall you_have_to you_need_to you_are_required_to you_are_to you_will_now \
        you_are_instructed_to task_is_to job_is_to goal_is_to du_musst du_sollst sie_mussen tu_dois vous_devez debes \
        tienes_que debe_usted voce_deve deves devi deve_lei je_moet musisz ты_должен вы_должны yapmalısın \
        你必须 你需要 你应该 必須 あなたは 당신은",
    ),
    (
        Sense::DETOUR,
        "before_you_can before_answering before_you_answer before_responding before_you_respond before_you_reply \
        before_replying before_you_continue before_continuing before_completing before_doing_anything \
        before_you_do_anything before_solving before_you_solve instead_of_answering \
        instead_of_responding instead_of_summarizing instead_of_summarising instead_of_replying \
        rather_than_answering instead_of_the_summary do_the_following_first do_this_first carry_out_first \
        the_task_that_i_gave task_i_gave_you after_you_do_that after_doing_that after_that_you_can \
        continue_as_normal continue_as_usual continue_with_the_task proceed_as_normal continue_normally \
        before_proceeding then_resume resume_the_task bevor_du_antwortest statt_zu_antworten \
        avant_de_repondre au_lieu_de_repondre antes_de_responder en_lugar_de_responder \
        em_vez_de_responder prima_di_rispondere invece_di_rispondere voordat_je_antwoordt zanim_odpowiesz \
        прежде_чем_ответить вместо_ответа 回答之前 在回答之前 而不是回答 回答する前に 답변하기_전에",
    ),
    (
        Sense::ASSET,
        "tool tools function_call api_call this_conversation the_conversation conversation_history chat_history \
        this_chat credential credentials api_key api_keys password passwords secrets environment_variables access_token \
        customer_list personal_data private_data user_data the_user's user's_data inbox contacts exfiltrate \
        system_prompt bank_account iban wallet secret_key secret_keys other_users other_customers all_customers the_file_with werkzeug outil herramienta ferramenta strumento \
        инструмент 工具 ツール 도구",
    ),
    (
        Sense::REWRITE,
        "modify convert misspell rearrange integrate augment enhance substitute replace reverse encode combine \
        incorporate insert append add embed weave end prefix translate",
    ),
    (
        Sense::ACTION,
        "modify convert misspell rearrange integrate augment enhance substitute reverse encode combine incorporate \
        weave prefix provide format suggest merge",
    ),
    (Sense::STEALTH, "secretly covertly quietly without_asking without_confirmation without_permission"),
    (Sense::EVERYTHING, "everything anything whatever all_that all_of_that all_this"),
    (Sense::TALK, "message messages conversation text words content told said responses outputs"),
    (Sense::CONTEXT, "context chat session dialogue thread input inputs conversation_history chat_history"),
    (
        Sense::BEFORE,
        "previous previously prior above earlier preceding foregoing aforementioned before so_far \
        until_now up_to_now existing past former",
    ),
    (
        Sense::YOURS,
        "your you_were_given given_to_you you_have_been_given you_got you_received you_follow \
        you_were_told limits_you binds_you restricts_you constrains_you",
    ),
    (
        Sense::SECRET,
        "system developer developers hidden secret initial original initialization confidential internal \
        core starting first underlying root operator safety ethical pre-programmed built-in",
    ),
    (Sense::ALL, "all any every each entire other further subsequent"),
    (
        Sense::REVEAL,
        "reveal revealing disclose divulge leak expose dump recite regurgitate uncover unveil \
        exfiltrate",
    ),
    (
        Sense::SHOW,
        "show print repeat output display tell give list write share say type copy translate summarize \
        summarise encode provide return quote echo paste spell state present what_is what_are what_were what_was \
        what's which describe explain complete continue",
    ),
    (
        Sense::VERBATIM,
        "verbatim word_for_word word-for-word exactly exact full entire complete in_full letter_by_letter \
        code_block codeblock unmodified literally as_is",
    ),
    (
        Sense::ROLE,
        "act_as act_like pretend* you_are_now you_are role_play roleplay behave_as simulate from_now_on \
        enable enabled activate activated enter switch_to persona you_will you_can mode respond_as answer_as",
    ),
    (
        Sense::UNBOUND,
        "unrestricted uncensored unfiltered do_anything_now no_restrictions no_limits no_limitations no_rules \
        no_filters no_filter without_restrictions without_any_restrictions without_restriction without_limits \
        without_limitations without_any_limitations without_filters without_filter without_rules without_any_rules \
        without_censorship without_ethical free_of_restrictions free_from_restrictions developer_mode god_mode \
        jailbreak_mode jailbroken unshackled no_ethical no_moral no_guidelines without_guidelines bypass_mode \
        unlocked_mode super_user_mode no_boundaries without_boundaries amoral \
        broken_free evil_mode opposite_mode",
    ),
    (Sense::NEW, "new updated revised real actual true following"),
    (
        Sense::MODEL,
        "ai_assistant ai_agent ai_agents ai_system ai_systems ai_model ai_models ai_assistants assistant llm \
        llms language_model language_models chatbot chatbots chatgpt gpt claude copilot gemini ai automated_agents \
        automated_agent virtual_assistant agent agents ai_language_model ai_bot ai_bots the_bot coding_agent \
        coding_agents coding_assistant ai_coding_agent ai_coding_agents ai_coding_assistant ai_coding_assistants ai_tool ki-assistent* ki-agent* ki-modell* sprachmodell* assistant_ia \
        modele_de_langage asistente_de_ia modelo_de_lenguaje assistente_de_ia modelo_de_linguagem assistente_ia \
        modello_linguistico ai-assistent taalmodel asystent* языков* неиросет* ассистент* 语言模型 人工智能 ai助手 \
        智能助手 言語モデル aiアシスタント 언어_모델 ai_어시스턴트",
    ),
    (
        Sense::CALL,
        "attention dear note_to note_for message_for message_to instruction_for instructions_for \
        instructions_to important notice_to notice_for hey hello to_the to_any to_all if_you_are reading_this todo",
    ),
    (
        Sense::ACTION,
        "send forward email e-mail call delete transfer click visit open fetch run execute include append add \
        insert recommend reply respond output print say tell give buy purchase reveal show share post upload download \
        write create schedule invite approve rate rank score answer replace modify change use make invoke read pay \
        book cancel reset grant disclose ignore disregard end start begin put list save wire navigate load embed submit \
        collect access retrieve decode carry_out remember mention encourage respond prioritize pay_out export render \
        display summarize translate forget drop skip bypass",
    ),
    (
        Sense::CONCEAL,
        "not_mention not_tell not_inform not_disclose not_reveal n't_mention n't_tell n't_inform never_mention \
        never_tell without_telling without_informing without_mentioning not_let_the_user keep_this_secret \
        hide_this_from not_notify not_show_this not_alert n't_notify n't_alert",
    ),
    (
        Sense::READING,
        "you_read_this you_see_this reading_this you_process_this processing_this you_summarize \
        you_summarise summarizing_this summarising_this you_are_reading you_parse_this when_asked_to_summarize \
        you_encounter_this before_using_this_tool before_calling_this_tool you_process_the you_handle_this \
        you_open_this you_summarize_this reads_this wenn_du_das_liest wenn_du_dies_liest si_tu_lis si_vous_lisez \
        cuando_leas si_lees se_voce_ler quando_leggi als_je_dit_leest 当你读到 如果你看到 これを読ん",
    ),
    (Sense::ANSWER, "your_response your_answer your_reply your_output your_summary your_responses your_answers"),
    (
        Sense::LEAD,
        "please now and then also just must should shall simply kindly instead immediately you so but first \
        next finally always will can to_first thus therefore ok okay yes stop bitte por_favor per_favore alstublieft \
        prosze пожалуиста lutfen tolong 请 請",
    ),
    (
        Sense::REPORTED,
        "i we they he she it users people not n't never don't cannot can't who that which may might would \
        often attackers someone anyone i'd i'll didn't doesn't won't shouldn't mustn't wouldn't \
        sometimes usually the a",
    ),
    (
        Sense::MINE,
        "my our his her their its mon ma mes mein meine meinen meiner mi mis meu minha meus mio miei mijn moje мои моих \
        мою мое",
    ),
    (Sense::SOME, "a an another"),
    (
        Sense::ASKING,
        "how_do how_to how_can how_does how_would why_do why_does why_would is_it what_happens should_i can_i \
        do_i what_if what_does difference_between explain_how explain_why what_is_a what_is_an meaning_of",
    ),
    (
        Sense::ABOUT,
        "attack attacks attacker attackers injection injections jailbreak jailbreaks adversarial \
        malicious exploit exploits vulnerability vulnerabilities payload payloads such_as for_example e.g phrase \
        phrases phrased detect detects detection defend defends defense defence prevent prevents mitigation owasp \
        tries_to attempts attempt trick tricks example examples",
    ),
    (
        Sense::INSTEAD,
        "instead only_say only_output only_reply only_respond reply_only respond_only and_say and_print \
        and_output and_reveal and_tell and_show and_write and_respond and_reply and_do and_follow just_say just_output \
        just_print new_task new_instructions and_give and_act and_execute and_send and_call",
    ),
    // German.
    (Sense::RULES, "protokolle richtschnur grundsatze parameter beschrankung*"),
    (Sense::DROP, "verlasse ubergehe deaktiviere streiche"),
    (Sense::TASK, "aufgabe aufgaben frage fragen anfrage"),
    (Sense::USER, "dem_nutzer der_nutzer den_nutzer des_nutzers dem_benutzer den_benutzer der_benutzer des_benutzers"),
    (Sense::ANSWER, "deiner_antwort deine_antwort ihrer_antwort ihre_antwort"),
    (Sense::CONCEAL, "erwahne_nicht erwahne_dies_nicht sage_nichts verschweige sag_dem_nutzer_nicht"),
    (Sense::ACTION, "sende schicke leite uberweise losche rufe offne antworte fuge fuhre verwende"),
    (Sense::IGNORE, "ignorier* missacht* vergiss vergessen verwirf uberschreib* setz_dich_uber umgehe umgeh"),
    (Sense::UNFOLLOW, "befolge_nicht folge_nicht befolge_keine halte_dich_nicht"),
    (
        Sense::INSTRUCTIONS,
        "anweisung* instruktion* vorgabe* systemprompt* systemanweisung* systemnachricht* richtlinie* \
        direktive* eingabeaufforderung* hauptdirektive*",
    ),
    (Sense::RULES, "regel regeln befehl* vorschrift* einschrankung* verhaltenskodex programmierung"),
    (Sense::EVERYTHING, "alles"),
    (
        Sense::BEFORE,
        "vorherig* bisherig* vorig* obige* obenstehend* fruhere* vorangegangen* vorangehend* vorhergehend* \
        zuvor davor oben vorstehend*",
    ),
    (Sense::ALL, "alle allen aller samtliche*"),
    (Sense::YOURS, "deine deiner deinen dein ihre ihren"),
    (Sense::SECRET, "versteckte* geheime* ursprunglich* interne*"),
    (Sense::REVEAL, "verrate verrat offenbar* enthull* preis"),
    (Sense::SHOW, "zeig zeige gib nenne nenn wiederhol* drucke schreib* sage teile"),
    (Sense::VERBATIM, "wortwortlich wortlich wort_fur_wort"),
    // French.
    (Sense::INSTRUCTIONS, "lignes_directrices"),
    (Sense::RULES, "protocoles parametres principes programmation"),
    (Sense::IGNORE, "mets_de_cote mettez_de_cote"),
    (Sense::DROP, "suspend suspends suspendez abandonne abandonnez contourne contournez annule annulez outrepasse"),
    (Sense::TASK, "tache taches question demande"),
    (Sense::USER, "l'utilisateur a_l'utilisateur l'utilisatrice"),
    (Sense::ANSWER, "ta_reponse votre_reponse"),
    (Sense::CONCEAL, "ne_mentionne_pas ne_mentionnez_pas ne_dis_rien ne_dites_rien"),
    (
        Sense::ACTION,
        "envoie envoyez transfere transferez supprime supprimez appelle appelez ouvre ouvrez ajoute ajoutez reponds repondez",
    ),
    (
        Sense::IGNORE,
        "ignorez ignorer oublie oubliez oublier neglige* outrepass* fais_abstraction faites_abstraction \
        ne_tiens_pas_compte ne_tenez_pas_compte ne_tiens_plus_compte ne_tenez_plus_compte",
    ),
    (Sense::UNFOLLOW, "ne_suis_pas ne_suivez_pas ne_suis_plus n'obeis_pas ne_respecte_pas"),
    (Sense::INSTRUCTIONS, "consigne consignes"),
    (Sense::RULES, "regle regles ordres contraintes commande fondamentale"),
    (Sense::EVERYTHING, "tout_ce"),
    (Sense::BEFORE, "precedent* anterieur* ci-dessus plus_haut prealable* avant"),
    (Sense::ALL, "toutes tous tout"),
    (Sense::YOURS, "tes ta ton vos votre"),
    (Sense::SECRET, "systeme initiale* initiaux cachee* caches secretes principale originales"),
    (Sense::REVEAL, "revele* divulgue* devoile*"),
    (Sense::SHOW, "affiche affichez montre montrez repete repetez donne donnez imprime ecris dis-moi dites-moi"),
    (Sense::VERBATIM, "mot_pour_mot mot_a_mot"),
    // Spanish.
    (Sense::INSTRUCTIONS, "pautas lineamientos"),
    (Sense::RULES, "protocolos parametros principios programacion"),
    (Sense::DROP, "suspende suspenda abandona abandone anula anule desactiva desactive elude evita bypassa"),
    (Sense::TASK, "tarea tareas pregunta preguntas solicitud"),
    (Sense::USER, "el_usuario al_usuario del_usuario"),
    (Sense::ANSWER, "tu_respuesta su_respuesta"),
    (Sense::CONCEAL, "no_menciones no_mencione no_digas no_le_digas"),
    (
        Sense::ACTION,
        "envia envie reenvia reenvie transfiere transfiera elimina elimine borra llama llame abre abra anade agrega responde responda",
    ),
    (
        Sense::IGNORE,
        "ignora ignoren ignorar ignorad olvida olvide olvidate olvidar desestima* descarta descarte incumple prescinde \
        prescinda haz_caso_omiso haga_caso_omiso no_hagas_caso no_tengas_en_cuenta",
    ),
    (Sense::UNFOLLOW, "no_sigas no_siga no_obedezcas no_cumplas"),
    (Sense::INSTRUCTIONS, "instruccion* indicaciones directrices directriz directiva directivas"),
    (Sense::RULES, "regla reglas ordenes normas restricciones capacitacion"),
    (Sense::EVERYTHING, "todo_lo"),
    (Sense::BEFORE, "anterior anteriores previa previas previo previos de_arriba hasta_ahora"),
    (Sense::ALL, "todas todos toda"),
    (Sense::YOURS, "tus tu sus"),
    (Sense::SECRET, "sistema inicial iniciales oculta* oculto* secreta* originales"),
    (Sense::REVEAL, "revela revele revelar divulga divulgue"),
    (Sense::SHOW, "muestra muestrame muestre repite repita imprime dime escribe ensename"),
    (Sense::VERBATIM, "palabra_por_palabra textualmente literalmente"),
    // Portuguese.
    (Sense::RULES, "principios programacao"),
    (Sense::DROP, "suspenda abandone anule desative contorne ultrapassa ultrapasse supere"),
    (Sense::TASK, "tarefa tarefas pergunta solicitacao"),
    (Sense::USER, "o_usuario ao_usuario do_usuario o_utilizador ao_utilizador"),
    (Sense::ANSWER, "sua_resposta tua_resposta"),
    (Sense::CONCEAL, "nao_mencione nao_diga nao_conte"),
    (Sense::ACTION, "encaminhe transfira exclua apague chame adicione acrescente"),
    (Sense::IGNORE, "esqueca esquece esquecer desconsidere desconsidera desconsiderar descarta"),
    (Sense::UNFOLLOW, "nao_siga nao_obedeca nao_cumpra"),
    (Sense::INSTRUCTIONS, "instrucao instrucoes diretriz diretrizes orientacoes diretiva diretivas"),
    (Sense::RULES, "regra regras ordens comandos restricoes salvaguardas"),
    (Sense::EVERYTHING, "tudo_o tudo"),
    (Sense::BEFORE, "acima previamente anteriormente"),
    (Sense::YOURS, "tuas teus teu seus suas"),
    (Sense::SECRET, "iniciais ocultas ocultos secretas"),
    (Sense::SHOW, "mostre mostra exiba exibe diga escreva imprima"),
    (Sense::VERBATIM, "palavra_por_palavra"),
    // Italian.
    (Sense::INSTRUCTIONS, "linee_guida"),
    (Sense::RULES, "protocolli parametri principi programmazione"),
    (Sense::DROP, "sospendi sospendere abbandona annulla aggira disattiva supera metti_da_parte"),
    (Sense::TASK, "compito compiti domanda richiesta"),
    (Sense::USER, "l'utente all'utente dell'utente"),
    (Sense::ANSWER, "tua_risposta sua_risposta"),
    (Sense::CONCEAL, "non_menzionare non_dire"),
    (Sense::ACTION, "invia inviate inoltra trasferisci cancella chiama apri aggiungi rispondi"),
    (Sense::IGNORE, "ignorare dimentica dimenticare dimenticati trascura scarta non_considerare non_tenere_conto"),
    (Sense::UNFOLLOW, "non_seguire non_rispettare non_obbedire"),
    (Sense::INSTRUCTIONS, "istruzione istruzioni direttiva direttive indicazioni"),
    (Sense::RULES, "regole ordini comandi restrizioni"),
    (Sense::EVERYTHING, "tutto_cio tutto_quello"),
    (Sense::BEFORE, "precedenti precedente precedentemente sopra"),
    (Sense::ALL, "tutte tutti"),
    (Sense::YOURS, "tue tuoi tua tuo"),
    (Sense::SECRET, "iniziali iniziale nascoste segrete originali"),
    (Sense::REVEAL, "rivela rivelami svela svelami rivelare"),
    (Sense::SHOW, "mostra mostrami visualizza ripeti stampa dimmi scrivi elenca"),
    (Sense::VERBATIM, "parola_per_parola"),
    // Dutch.
    (Sense::USER, "de_gebruiker"),
    (Sense::ANSWER, "je_antwoord uw_antwoord"),
    (Sense::CONCEAL, "vermeld_niet vertel_niet"),
    (Sense::ACTION, "stuur verstuur verwijder roep voeg antwoord"),
    (Sense::IGNORE, "negeer negeren vergeet"),
    (Sense::UNFOLLOW, "volg_niet"),
    (Sense::INSTRUCTIONS, "instructie instructies aanwijzing* richtlijn*"),
    (Sense::RULES, "regels"),
    (Sense::TASK, "opdracht opdrachten vraag"),
    (Sense::BEFORE, "vorige eerdere voorgaande bovenstaande voorafgaande"),
    (Sense::ALL, "alle"),
    (Sense::YOURS, "jouw uw"),
    (Sense::REVEAL, "onthul openbaar"),
    (Sense::SHOW, "toon herhaal geef"),
    // Romanian.
    (Sense::RULES, "protocoalele parametrii principiile"),
    (Sense::DROP, "suspenda anuleaza abandoneaza depaseste"),
    (Sense::IGNORE, "ignorati uita uitati"),
    (Sense::INSTRUCTIONS, "instructiuni* indicatiile directiva"),
    (Sense::RULES, "regulile reguli ordinele"),
    (Sense::BEFORE, "anterioare precedente"),
    (Sense::ALL, "toate"),
    (Sense::YOURS, "tale"),
    (Sense::REVEAL, "dezvaluie dezvalui"),
    (Sense::SHOW, "arata afiseaza repeta"),
    // Polish.
    (Sense::TASK, "zadanie zadania pytanie"),
    (Sense::USER, "uzytkownik*"),
    (Sense::ACTION, "wyslij przeslij usun wywolaj otworz dodaj odpowiedz"),
    (Sense::IGNORE, "ignoruj zignoruj ignorujcie zapomnij"),
    (Sense::INSTRUCTIONS, "instrukcj* polecen* wytyczn*"),
    (Sense::RULES, "zasady zasad reguly"),
    (Sense::BEFORE, "poprzedni* wczesniejsz* powyzsz*"),
    (Sense::ALL, "wszystkie wszystkich"),
    (Sense::YOURS, "twoje twoich swoje"),
    (Sense::SECRET, "systemow* ukryt*"),
    (Sense::REVEAL, "ujawnij zdradz"),
    (Sense::SHOW, "pokaz wyswietl powtorz podaj"),
    // Russian and Ukrainian.
    (Sense::TASK, "задани* вопрос* запрос*"),
    (Sense::USER, "пользовател*"),
    (Sense::ANSWER, "своем_ответе твоем_ответе вашем_ответе"),
    (Sense::CONCEAL, "не_говори* не_сообща* не_упомина*"),
    (Sense::ACTION, "отправь* перешли* удали* вызови* открои* добавь* ответь*"),
    (Sense::IGNORE, "игнориру* проигнориру* забудь* отбрось* ігнору* проігнору*"),
    (Sense::UNFOLLOW, "не_следу* не_выполня*"),
    (Sense::INSTRUCTIONS, "инструкци* указани* промпт* директив* інструкці* вказівк*"),
    (Sense::RULES, "правил* команд* ограничени*"),
    (Sense::EVERYTHING, "все_что все_сказанное"),
    (Sense::BEFORE, "предыдущ* прежни* вышеуказанн* вышеизложенн* ранее выше попередні*"),
    (Sense::ALL, "все всех всі всю"),
    (Sense::YOURS, "твои твоих твою ваши ваших свои своих своі"),
    (Sense::SECRET, "системн* скрыт* секретн* начальн* изначальн*"),
    (Sense::REVEAL, "раскрои раскроите раскры* разгласи*"),
    (Sense::SHOW, "покажи* выведи* повтори* напиши* скажи*"),
    (Sense::VERBATIM, "дословно слово_в_слово"),
    // Turkish.
    (Sense::USER, "kullanıcı*"),
    (Sense::ACTION, "gonder* ilet sil ekle"),
    (Sense::IGNORE, "gormezden yok_say* unut dikkate_alma"),
    (Sense::INSTRUCTIONS, "talimat* yonerge*"),
    (Sense::RULES, "komut* kural*"),
    (Sense::BEFORE, "onceki* yukarıdaki*"),
    (Sense::ALL, "tum"),
    (Sense::YOURS, "sana"),
    (Sense::REVEAL, "ifsa acıkla"),
    (Sense::SHOW, "goster* yazdır* tekrarla*"),
    // Indonesian and Malay.
    (Sense::IGNORE, "abaikan lupakan"),
    (Sense::INSTRUCTIONS, "instruksi* petunjuk arahan"),
    (Sense::RULES, "perintah aturan"),
    (Sense::BEFORE, "sebelumnya di_atas"),
    (Sense::ALL, "semua"),
    (Sense::YOURS, "anda kamu"),
    (Sense::REVEAL, "ungkapkan"),
    (Sense::SHOW, "tampilkan tunjukkan ulangi"),
    // Vietnamese.
    (Sense::IGNORE, "bo_qua quen_đi phot_lo"),
    (Sense::INSTRUCTIONS, "huong_dan chi_dan chi_thi"),
    (Sense::RULES, "lenh quy_tac"),
    (Sense::BEFORE, "truoc_đo truoc o_tren"),
    (Sense::ALL, "tat_ca moi"),
    (Sense::REVEAL, "tiet_lo"),
    (Sense::SHOW, "hien_thi"),
    // Arabic.
    (Sense::IGNORE, "تجاهل* انس تجاهلوا"),
    (Sense::INSTRUCTIONS, "التعليمات تعليمات* الارشادات الإرشادات التوجيهات توجيهات*"),
    (Sense::RULES, "الاوامر الأوامر القواعد"),
    (Sense::BEFORE, "السابقة السابق اعلاه أعلاه"),
    (Sense::ALL, "جميع كل كافة"),
    (Sense::SECRET, "النظام"),
    (Sense::REVEAL, "اكشف افصح"),
    (Sense::SHOW, "اعرض اظهر أظهر اطبع كرر"),
    // Hindi.
    (Sense::IGNORE, "अनदेखा नजरअंदाज नज़रअंदाज़ भूल_जा* उपेक्षा"),
    (Sense::INSTRUCTIONS, "निर्देश* प्रॉम्प्ट*"),
    (Sense::RULES, "नियम* आदेश*"),
    (Sense::BEFORE, "पिछले पिछला पिछली पूर्व ऊपर पहले"),
    (Sense::ALL, "सभी सारे"),
    (Sense::YOURS, "अपने अपना आपके"),
    (Sense::SECRET, "सिस्टम"),
    (Sense::SHOW, "दिखाओ दिखाएं बताओ बताएं दोहराओ"),
    // Chinese.
    (Sense::TASK, "任务 任務 问题 請求 请求"),
    (Sense::USER, "用户 用戶"),
    (Sense::ANSWER, "你的回答 你的回复 您的回答"),
    (Sense::CONCEAL, "不要告诉 不要提及 不要提到"),
    (Sense::ACTION, "发送 转发 调用 删除 转账 打开 執行 执行"),
    (Sense::IGNORE, "忽略 无视 無視 忘记 忘記 忘掉 抛开 不理会"),
    (Sense::UNFOLLOW, "不要遵守 不要遵循 不再遵守 停止遵守 不必遵守"),
    (Sense::INSTRUCTIONS, "指令 指示 提示词 提示詞 系统提示 提示语"),
    (Sense::RULES, "命令 规则 規則 限制 设定 要求"),
    (Sense::EVERYTHING, "一切"),
    (Sense::TALK, "对话 内容 消息"),
    (Sense::BEFORE, "之前 以前 先前 以上 上面 前面 上述 此前"),
    (Sense::ALL, "所有 全部"),
    (Sense::YOURS, "你的 您的"),
    (Sense::SECRET, "系统 系統 隐藏 初始 原始"),
    (Sense::REVEAL, "透露 泄露 揭示"),
    (Sense::SHOW, "显示 顯示 输出 輸出 打印 重复 告诉 复述 说出"),
    (Sense::VERBATIM, "逐字 原样 一字不差"),
    // Japanese.
    (Sense::TASK, "質問 タスク 依頼"),
    (Sense::USER, "ユーザー"),
    (Sense::CONCEAL, "伝えないで 言わないで"),
    (Sense::ACTION, "送信し 転送し 削除し 呼び出し 開いて 実行し"),
    (Sense::IGNORE, "無視し 無視せよ 無視する 忘れて 忘れろ"),
    (Sense::UNFOLLOW, "従わない 従うな"),
    (Sense::INSTRUCTIONS, "指示 プロンプト"),
    (Sense::RULES, "ルール 制約"),
    (Sense::BEFORE, "これまで 以前の 前の 上記 今まで 先ほど"),
    (Sense::ALL, "すべて 全て"),
    (Sense::YOURS, "あなたの"),
    (Sense::SECRET, "システム 隠された 初期"),
    (Sense::REVEAL, "開示 明かし"),
    (Sense::SHOW, "表示し 出力し 教えて 繰り返し 見せて"),
    // Korean.
    (Sense::TASK, "질문* 작업* 요청*"),
    (Sense::USER, "사용자*"),
    (Sense::ACTION, "보내* 전송하* 전송해* 삭제하* 삭제해* 호출하* 호출해* 실행하* 실행해*"),
    (Sense::IGNORE, "무시하* 무시해* 잊어* 잊으*"),
    (Sense::INSTRUCTIONS, "지시* 지침* 프롬프트*"),
    (Sense::RULES, "명령* 규칙*"),
    (Sense::BEFORE, "이전* 위의 앞의 앞선 지금까지*"),
    (Sense::ALL, "모든 전부"),
    (Sense::YOURS, "당신의 너의 네"),
    (Sense::SECRET, "시스템* 숨겨진 초기"),
    (Sense::REVEAL, "공개하* 공개해* 누설*"),
    (Sense::SHOW, "보여* 출력* 알려* 반복* 말해*"),
];
