//! What the agent itself says on a channel. `{…}` is filled in.

use platform_types::update::Media;

/// A language that this has words for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    German,
}

impl Language {
    /// By an IETF tag; English where there are no words for it.
    pub fn of(tag: Option<&str>) -> Self {
        let first = tag.and_then(|tag| tag.split('-').next()).unwrap_or_default();
        if first.eq_ignore_ascii_case("de") { Self::German } else { Self::English }
    }

    /// How it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

macro_rules! words {
    ($($word:ident: $english:literal, $german:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Word { $($word,)* }

        impl Word {
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            pub fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$word, Language::English) => $english, (Self::$word, Language::German) => $german,)*
                }
            }
        }
    };
}

words! {
    // Below answers.
    Stopped: "(Stopped.)", "(Angehalten.)";
    Interrupted: "(Cut off: the agent was restarted.)", "(Abgebrochen: Der Agent wurde neu gestartet.)";
    Failed: "(The answer failed; please try again.)", "(Die Antwort ist gescheitert; bitte noch einmal versuchen.)";
    TooLong: "(Cut off: the answer reached its limit.)", "(Abgeschnitten: Die Antwort hat ihre Grenze erreicht.)";
    TooManyTools: "(Cut off: too many tool calls.)", "(Abgebrochen: zu viele Werkzeugaufrufe.)";
    Shortened: "(Older parts of the chat were left out: it is longer than the model takes.)",
        "(Ältere Teile des Gesprächs wurden weggelassen: Es ist länger, als das Modell fasst.)";
    More: "(The answer is longer; the page has all of it.)", "(Die Antwort ist länger; auf der Seite steht sie ganz.)";
    // To messages that are no turn.
    NoVoice: "I cannot listen to recordings. Please write, or dictate with your keyboard.",
        "Aufnahmen kann ich nicht anhören. Bitte schreiben, oder mit der Tastatur diktieren.";
    NoPicture: "I cannot see pictures and videos. Please describe in words what it is about.",
        "Bilder und Videos kann ich nicht sehen. Bitte in Worten beschreiben, worum es geht.";
    NoFile: "I cannot open files. Please paste the part of the text that matters.",
        "Dateien kann ich nicht öffnen. Bitte den Teil des Textes einfügen, um den es geht.";
    NoOther: "I can read text only. Please write it down.", "Ich kann nur Text lesen. Bitte aufschreiben.";
    TooMany: "Too many messages wait here already; please send this one again later.",
        "Hier warten schon zu viele Nachrichten; bitte diese später noch einmal senden.";
    NotTaken: "This message was not taken; please try again later.",
        "Diese Nachricht wurde nicht angenommen; bitte später noch einmal versuchen.";
    TooManyChats: "There are too many conversations; somebody has to delete old ones on the page.",
        "Es gibt zu viele Gespräche; jemand muss alte auf der Seite löschen.";
    // Commands.
    Hello: "Hello, this is {bot}. Just write. /help lists the commands.",
        "Hallo, hier ist {bot}. Einfach schreiben. /help zeigt die Befehle.";
    Help: "Just write; {bot} answers.\n\n/new – a new conversation; what was said before is not remembered there\n\
        /stop – stop the answer that runs\n/status – what is going on\n/bot – who else answers here\n/help – this text",
        "Einfach schreiben; {bot} antwortet.\n\n/new – ein neues Gespräch; was vorher war, zählt dort nicht\n\
        /stop – die laufende Antwort anhalten\n/status – was gerade geschieht\n/bot – wer hier sonst antwortet\n/help – dieser Text";
    NoSuchCommand: "There is no such command. /help lists them.", "Diesen Befehl gibt es nicht. /help zeigt, welche es gibt.";
    NewChat: "A new conversation with {bot}.", "Ein neues Gespräch mit {bot}.";
    Stopping: "Stopped.", "Angehalten.";
    NothingRuns: "Nothing is running.", "Es läuft gerade nichts.";
    StatusIdle: "{bot} waits for a message. Model: {model}.", "{bot} wartet auf eine Nachricht. Modell: {model}.";
    StatusRuns: "{bot} has been answering for {seconds} s. Model: {model}. /stop ends it.",
        "{bot} antwortet seit {seconds} s. Modell: {model}. /stop hält die Antwort an.";
    StatusAsks: "{bot} waits until somebody allows what it asked for. Model: {model}.",
        "{bot} wartet, bis jemand erlaubt, worum er gebeten hat. Modell: {model}.";
    Bots: "{bot} answers here. To choose another, send /bot with a name: {names}.",
        "Hier antwortet {bot}. Ein anderer wird mit /bot und einem Namen gewählt: {names}.";
    OneBot: "Only {bot} answers here.", "Hier antwortet nur {bot}.";
    NoSuchBot: "There is no such bot here. There are: {names}.", "Diesen Bot gibt es hier nicht. Es gibt: {names}.";
    // Questions.
    MayI: "{bot} asks before it does this:", "{bot} fragt, bevor er das tut:";
    CallTooLong: "It is too long for a chat: look at it and decide on the page of this profile.",
        "Es ist zu lang für einen Chat: bitte auf der Seite dieses Profils ansehen und entscheiden.";
    Within: "An answer counts for {minutes} minutes, and for this one time.", "Eine Antwort zählt {minutes} Minuten lang, und für dieses eine Mal.";
    Allow: "Allow", "Erlauben";
    Deny: "Deny", "Ablehnen";
    Allowed: "Allowed.", "Erlaubt.";
    Denied: "Denied.", "Abgelehnt.";
    Expired: "Nobody answered in time; it was not done.", "Niemand hat rechtzeitig geantwortet; es wurde nicht getan.";
    Cancelled: "The answer that asked this is over; it was not done.",
        "Die Antwort, die das gefragt hat, ist vorbei; es wurde nicht getan.";
    Over: "This question is over.", "Diese Frage ist vorbei.";
    NotYours: "This question is for somebody else.", "Diese Frage ist für jemand anderen.";
    Confirm: "{bot} wants to do something that a paired device has to confirm: {tool}.",
        "{bot} möchte etwas tun, das ein gekoppeltes Gerät bestätigen muss: {tool}.";
    ConfirmWhere: "Open the page of this profile to look at it and decide.",
        "Zum Ansehen und Entscheiden die Seite dieses Profils öffnen.";
    OpenPage: "Look and decide", "Ansehen und entscheiden";
}

impl Word {
    /// Why a message without text is not read, and what to do instead.
    pub fn no_text(media: Media) -> Self {
        match media {
            Media::Voice => Self::NoVoice,
            Media::Picture => Self::NoPicture,
            Media::File => Self::NoFile,
            Media::Other => Self::NoOther,
        }
    }

    /// The text with what belongs into it.
    pub fn with(self, language: Language, values: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut rest = self.text(language);
        while let Some((before, name, after)) = place(rest) {
            text.push_str(before);
            text.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
            rest = after;
        }
        text + rest
    }
}

/// What stands before the first `{name}`, the name, and what comes after it.
fn place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        let check = |tag: Option<&str>, expect| assert_eq!(Language::of(tag), expect, "{tag:?}");
        check(Some("de"), Language::German);
        check(Some("DE-at"), Language::German);
        check(Some("den"), Language::English);
        check(Some("fr"), Language::English);
        check(None, Language::English);
        for language in [Language::English, Language::German] {
            assert_eq!(Language::of(Some(language.as_str())), language);
        }
    }

    #[test]
    fn both_languages_say_the_same_things() {
        for word in Word::ALL {
            let names = |mut text: &'static str| {
                let mut names = std::collections::BTreeSet::new();
                while let Some((_, name, rest)) = place(text) {
                    names.insert(name);
                    text = rest;
                }
                names
            };
            let [english, german] = [Language::English, Language::German].map(|language| word.text(language));
            assert_eq!(names(english), names(german), "{word:?}");
            assert!(english != german && !english.is_empty(), "{word:?}");
            assert!(english.matches('/').count() == german.matches('/').count(), "{word:?}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        let text = Word::Bots.with(Language::English, &[("bot", "{names}"), ("names", "a, b")]);
        assert_eq!(text, "{names} answers here. To choose another, send /bot with a name: a, b.");
    }
}
