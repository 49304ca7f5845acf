//! Invented companies and sentences, in several languages. Nothing in them happened.

use fastrand::Rng;

/// Somebody who writes in one language.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) random: Rng,
    language: Language,
    subject: String,
}

#[derive(Debug)]
struct Language {
    headlines: &'static [&'static str],
    sentences: &'static [&'static str],
    /// Between sentences.
    space: &'static str,
}

const ENGLISH: Language = Language {
    headlines: &[
        "{c} reports {q}-quarter revenue up {p} percent",
        "{c} to open a plant in {t}, plans {n} jobs",
        "{c} lowers full-year forecast by {p} percent",
        "{c} names {s} as head of its {t} business",
        "{c} wins an order for {n} units from {d}",
        "{c} and {d} end talks about a joint venture",
        "{c} raises dividend to {p} cents a share",
        "{c} recalls {n} pumps after a supplier's notice",
        "{c} completes the sale of its {t} warehouse for {n} million",
        "{c} postpones its annual meeting to the {q} quarter",
        "{c} agrees a loan of {n} million with three banks",
        "{c} says output in {t} is back to normal",
    ],
    sentences: &[
        "{c} said on Tuesday that revenue in the {q} quarter was {n} million, {p} percent more than a year before.",
        "The company expects an operating margin of {p} to {p} percent.",
        "Its plant in {t} makes {n} units a day and employs {n} people.",
        "{s}, who has led the division since {y}, said that orders from {d} were stable.",
        "Costs for energy and freight fell by {p} percent to {n} million.",
        "Shares of {c} were {p} percent higher at {p} by {h}.",
        "An agreement with {d} runs until {y} and covers {n} deliveries.",
        "Net debt was {n} million at the end of the period, after {n} million.",
        "{d} did not comment on the matter.",
        "The board proposes a dividend of {p} cents, to be paid in the {q} quarter of {y}.",
        "About {p} percent of the {n} machines are in {t}.",
        "A spokesperson said that the review of {n} contracts would end in {y}.",
        "Analysts had expected {n} million on average, according to a survey by {d}.",
        "The order book reached {n} million, of which {p} percent come from {t}.",
    ],
    space: " ",
};

const GERMAN: Language = Language {
    headlines: &[
        "{c} steigert Umsatz im {q}. Quartal um {p} Prozent",
        "{c} baut Werk in {t} mit {n} Arbeitsplätzen",
        "{c} und {d} beenden Gespräche über Gemeinschaftsunternehmen",
        "{c} erhält Auftrag über {n} Anlagen",
    ],
    sentences: &[
        "{c} hat im {q}. Quartal {n} Millionen umgesetzt, {p} Prozent mehr als vor einem Jahr.",
        "Das Werk in {t} stellt täglich {n} Stück her und beschäftigt {n} Menschen.",
        "Für das Jahr {y} erwartet das Unternehmen eine Marge von {p} Prozent.",
        "Die Vereinbarung mit {d} gilt für {n} Lieferungen bis {y}.",
        "{s} leitet den Bereich seit {y} und verantwortet {n} Verträge.",
        "Die Schulden sanken um {p} Prozent auf {n} Millionen.",
    ],
    space: " ",
};

const JAPANESE: Language = Language {
    headlines: &[
        "{c}、第{q}四半期の売上高は{p}％増",
        "{c}、{t}に新工場を建設へ　{n}人を雇用",
        "{c}と{d}、合弁協議を終了",
    ],
    sentences: &[
        "{c}の第{q}四半期の売上高は{n}百万となり、前年同期を{p}％上回った。",
        "{t}の工場では一日に{n}台を生産し、従業員は{n}人である。",
        "{d}との契約は{y}年まで続き、{n}件の納入を含む。",
        "{y}年の営業利益率は{p}％を見込んでいる。",
        "株価は{h}時点で{p}％高の{p}だった。",
    ],
    space: "",
};

const SLOVENE: Language = Language {
    headlines: &[
        "{c} v {q}. četrtletju s {p}-odstotno rastjo prihodkov",
        "{c} bo v kraju {t} odprl obrat za {n} zaposlenih",
        "{c} in {d} končala pogovore o skupnem podjetju",
    ],
    sentences: &[
        "Družba {c} je v {q}. četrtletju ustvarila {n} milijonov prihodkov, {p} odstotka več kot leto prej.",
        "Obrat v kraju {t} na dan izdela {n} kosov in zaposluje {n} ljudi.",
        "Za leto {y} pričakujejo maržo v višini {p} odstotka.",
        "Pogodba z družbo {d} velja do leta {y} in zajema {n} dobav.",
        "{s} vodi področje od leta {y}, v njem je {n} pogodb.",
        "Dolg se je znižal za {p} odstotka na {n} milijonov.",
    ],
    space: " ",
};

const TURKISH: Language = Language {
    headlines: &["{c}: {q}. çeyrek geliri yüzde {p} arttı", "{c} {t} tesisi için {n} kişi alacak"],
    sentences: &[
        "{c} {q}. çeyrekte {n} milyon gelir elde etti; artış yüzde {p} oldu.",
        "{t} tesisinde günde {n} adet üretiliyor ve {n} kişi çalışıyor.",
        "{d} ile yapılan sözleşme {y} yılına kadar {n} teslimatı kapsıyor.",
        "{y} yılı için yüzde {p} faaliyet marjı bekleniyor.",
    ],
    space: " ",
};

impl Writer {
    /// One who writes in a language, ISO 639 in either case; in English if it is none of ours.
    pub(crate) fn new(language: &str, random: Rng) -> Self {
        let language = match language.to_lowercase().as_str() {
            "de" => GERMAN,
            "ja" => JAPANESE,
            "sl" => SLOVENE,
            "tr" => TURKISH,
            _ => ENGLISH,
        };
        let mut writer = Self { random, language, subject: String::new() };
        writer.subject = writer.company();
        writer
    }

    /// About another company than by chance.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: subject.into(), ..self }
    }

    pub(crate) fn headline(&mut self) -> String {
        let template = self.pick(self.language.headlines);
        self.fill(template)
    }

    /// A sentence, with what separates it from the next.
    pub(crate) fn sentence(&mut self) -> String {
        let template = self.pick(self.language.sentences);
        self.fill(template) + self.language.space
    }

    /// A line of a table, as exchanges publish them.
    pub(crate) fn line(&mut self) -> String {
        let (hour, minute, second) = (self.random.u8(8..17), self.random.u8(..60), self.random.u8(..60));
        let (volume, price) = (self.random.u32(10..99_999), self.random.u32(10_000..99_999));
        let (pounds, pence) = (price / 100, price % 100);
        format!(
            "{hour:02}:{minute:02}:{second:02}  {volume:>7}  {pounds:>4}.{pence:02}  SIM{}\r\n",
            self.random.u8(1..5)
        )
    }

    /// A company that doesn't exist.
    pub(crate) fn company(&mut self) -> String {
        const FIRST: &[&str] = &[
            "Quor", "Vesk", "Tolm", "Brinz", "Zarv", "Ombr", "Druld", "Fenk", "Ulth", "Yorm", "Kesp", "Nardw", "Glinv",
            "Hestr", "Ixal", "Jurv",
        ];
        const MIDDLE: &[&str] = &["a", "e", "i", "o", "u", "ae", "ei", "oa"];
        const LAST: &[&str] =
            &["vane", "dryl", "mundt", "quist", "belk", "stoff", "thwick", "zand", "lorn", "pexa", "rilm", "nould"];
        const FORM: &[&str] = &["plc", "AG", "Holdings", "Group", "Industries", "NV", "Corp", "Partners"];
        let parts = [FIRST, MIDDLE, LAST].map(|parts| self.pick(parts));
        format!("{} {}", parts.concat(), self.pick(FORM))
    }

    fn place(&mut self) -> String {
        const FIRST: &[&str] = &["Old", "North", "Upper", "Saint ", "Bel", "Mor", "Har", "Win"];
        const LAST: &[&str] = &["quarrow", "brindle", "veskin", "tolmouth", "dorvick", "ulmere", "kestham", "yarley"];
        let place = format!("{}{}", self.pick(FIRST), self.pick(LAST));
        place
    }

    fn person(&mut self) -> String {
        const FIRST: &[&str] = &["A.", "B.", "C.", "D.", "E.", "F.", "G.", "H.", "I.", "J.", "K.", "L."];
        const LAST: &[&str] = &["Quillmere", "Vesterholt", "Tolmander", "Brizell", "Zarvoy", "Ombrand", "Drulwich"];
        format!("{} {}", self.pick(FIRST), self.pick(LAST))
    }

    fn fill(&mut self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(&self.value(name));
            rest = after;
        }
        text + rest
    }

    fn value(&mut self, name: &str) -> String {
        match name {
            "c" => self.subject.clone(),
            "d" => self.company(),
            "s" => self.person(),
            "t" => self.place(),
            "q" => self.random.u8(1..=4).to_string(),
            "y" => self.random.u16(2019..2034).to_string(),
            "h" => format!("{:02}:{:02}", self.random.u8(8..18), self.random.u8(..60)),
            "p" => format!("{}.{}", self.random.u8(1..40), self.random.u8(..10)),
            _ => {
                let number = self.random.u32(100..10_000);
                if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
            }
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.usize(..from.len())]
    }
}
