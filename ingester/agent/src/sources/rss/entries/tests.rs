use super::*;
use proptest::prelude::*;

const RSS_2: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Invented Wire</title><link>https://news.example/</link><description>d</description><language>en-gb</language><ttl>7</ttl>
<item><title>Example Mining &amp; Metals lifts output</title><link>/1</link><guid isPermaLink="false">wire-1</guid>
<pubDate>Mon, 05 Jan 2026 08:00:00 GMT</pubDate><category>Mining</category><category>Mining</category><category>R&amp;amp;D</category>
<description><![CDATA[<p>Invented.</p>]]></description></item>
<item><title>No guid in this one, and &amp;#8220;quotes&amp;#8221;</title><link>https://news.example/2</link>
<pubDate>Mon, 5 Jan 26 07:01:00 EST</pubDate><description>A summary.</description>
<content:encoded><![CDATA[<div>First.<br/>Second &euro;.</div><script>x()</script>]]></content:encoded></item>
<item><description>Only a description, which is rather long, so that it can't be a headline as a whole but must be cut somewhere near its end.</description></item>
<item><pubDate>Mon, 05 Jan 2026 08:00:00 GMT</pubDate></item>
</channel></rss>"#;

const RSS_1: &str = r#"<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://news.example/rdf"><title>Invented Wire</title><link>https://news.example/</link><description>d</description><dc:language>DE</dc:language></channel>
<item rdf:about="https://news.example/1"><title>Beispiel AG erwartet mehr</title><link>https://news.example/1</link>
<description>Erfundener Text &lt;b&gt;mit&lt;/b&gt; Auszeichnung.</description><dc:date>2026-01-05T09:00:00+01:00</dc:date></item>
</rdf:RDF>"#;

const ATOM: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en" xml:base="https://news.example/a/"><id>urn:uuid:60a76c80-d399-11d9-b93c-0003939e0af6</id>
<title>Invented Wire</title><updated>2026-01-05T08:04:00Z</updated>
<entry><id>tag:news.example,2026:1</id><title type="html">Example &amp;lt; &lt;b&gt;Mining&lt;/b&gt; lifts output</title>
<link rel="self" href="https://news.example/self"/><link rel="alternate" href="1"/><category term="mining"/>
<published>2026-01-05T08:00:00Z</published><updated>2026-01-05T08:04:00.5Z</updated><summary>Invented.</summary></entry>
<entry><id>tag:news.example,2026:2</id><title>5 &lt; 6 &amp;amp; 7</title><updated>2026-01-05T08:03:00Z</updated>
<content type="xhtml" xml:lang="fr-FR"><div xmlns="http://www.w3.org/1999/xhtml"><p>Texte <em>inventé</em>.</p></div></content></entry>
<entry><id>tag:news.example,2026:3</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Sample <i>AG</i></div></title>
<updated>2026-01-05T08:03:00Z</updated><content type="image/png">iVBORw0KGgo=</content><summary type="html">A &lt;b&gt;picture&lt;/b&gt;</summary></entry>
</feed>"#;

fn origin(language: Option<&str>) -> Origin {
    let page = Url::parse("https://news.example/feed.xml").unwrap();
    Origin::new("pages", page, language.map(Into::into))
}

fn page(text: &str) -> Page {
    let origin = origin(None);
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    origin.page(text.as_bytes(), &origin.page, now).unwrap()
}

fn only(entry: &str) -> NewsItem {
    let page = page(&format!(r#"<rss version="2.0"><channel><item>{entry}</item></channel></rss>"#));
    page.items.into_iter().next().expect("an item")
}

fn snapshot(situation: &str, page: &Page) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(format!("ingester_rss_{situation}"), page.items));
}

#[test]
fn rss_2_page_is_items() {
    let page = page(RSS_2);
    assert_eq!((page.items.len(), page.refused, page.ttl), (3, 1, Some(Duration::from_mins(7))));
    snapshot("rss_2", &page);
}

#[test]
fn rss_1_page_is_items() {
    snapshot("rss_1", &page(RSS_1));
}

#[test]
fn atom_page_is_items() {
    snapshot("atom", &page(ATOM));
}

#[test]
fn rss_of_the_first_years_is_read_too() {
    let old = RSS_2.replace("version=\"2.0\"", "version=\"0.91\"");
    assert_eq!(page(&old).items, page(RSS_2).items);
}

#[test]
fn entry_that_did_not_change_is_the_same_item_and_one_that_did_is_a_version_of_it() {
    let entry =
        |title: &str, date: &str| only(&format!("<guid>1</guid><title>{title}</title><pubDate>{date}</pubDate>"));
    let first = entry("Example plc lifts outlook", "Mon, 05 Jan 2026 08:00:00 GMT");
    let again = entry("Example plc lifts outlook", "Mon, 05 Jan 2026 08:00:00 GMT");
    assert_eq!(first, again);
    let changed = entry("Example plc lifts outlook again", "Mon, 05 Jan 2026 08:00:00 GMT");
    assert_eq!((&changed.thread, changed.kind), (&first.thread, Kind::Article));
    assert_ne!(changed.id, first.id);
    let dated_anew = entry("Example plc lifts outlook", "Mon, 05 Jan 2026 09:00:00 GMT");
    assert_eq!(dated_anew.id, first.id, "the text is the same");
}

#[test]
fn time_of_change_tells_versions_apart_where_there_is_one() {
    let at = |time: &str| page(&ATOM.replace("08:04:00.5Z", time)).items.pop().unwrap();
    let (first, second) = (at("08:04:00.5Z"), at("08:05:00Z"));
    assert_eq!(first.id, "rss:https://news.example/feed.xml tag:news.example,2026:1 2026-01-05T08:04:00.5Z");
    assert_eq!((first.thread == second.thread, first.id == second.id), (true, false));
    assert_eq!(second.published.to_string(), "2026-01-05T08:05:00Z");
    assert_eq!(second.first_published.unwrap().to_string(), "2026-01-05T08:00:00Z");
}

#[test]
fn entry_without_guid_is_known_by_its_link_or_else_by_title_and_date() {
    let feed = "rss:https://news.example/feed.xml ";
    let linked = only("<title>t</title><link>https://news.example/2?a=b</link>");
    assert_eq!(linked.thread, format!("{feed}https://news.example/2?a=b"));
    let bare = |date| only(&format!("<title>t</title><pubDate>{date}</pubDate>")).thread;
    let first = bare("Mon, 05 Jan 2026 08:00:00 GMT");
    assert!(first.starts_with(feed) && first.len() == feed.len() + 32, "{first}");
    assert_ne!(first, bare("Tue, 06 Jan 2026 08:00:00 GMT"));
}

#[test]
fn query_of_the_page_is_in_no_id() {
    let page = |query: &str| Url::parse(&format!("https://news.example/feed.xml{query}")).unwrap();
    let id = |query: &str| {
        let origin = Origin::new("pages", page(query), None);
        origin.page(RSS_1.as_bytes(), &page(query), Timestamp::UNIX_EPOCH).unwrap().items.remove(0).id
    };
    assert!(!id("?token=hunter2").contains("hunter2"), "{}", id("?token=hunter2"));
    assert_ne!(id("?part=1"), id("?part=2"));
}

#[test]
fn long_guid_makes_a_short_thread() {
    let item = only(&format!("<title>t</title><guid>{}</guid>", "x".repeat(3000)));
    assert!(item.thread.len() < 64, "{}", item.thread);
    assert!(item.id.len() < 256, "{}", item.id);
}

#[test]
fn languages_are_the_first_part_in_lower_case() {
    for (given, setting, expected) in [
        ("<language>en-GB</language>", None, "en"),
        ("<language>EN</language>", Some("de"), "en"),
        ("<language>pt_BR</language>", None, "pt"),
        ("<language>x-klingon</language>", Some("de"), "de"),
        ("", Some("de"), "de"),
        ("", None, "und"),
    ] {
        let text = format!(r#"<rss version="2.0"><channel>{given}<item><title>t</title></item></channel></rss>"#);
        let origin = origin(setting);
        let page = origin.page(text.as_bytes(), &origin.page, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(page.items[0].language, expected, "{given} {setting:?}");
    }
}

#[test]
fn page_in_another_encoding_is_read_by_what_it_says() {
    let text = r#"<?xml version="1.0" encoding="ISO-8859-1"?><rss version="2.0"><channel><item><title>Caf_ lifts outlook</title></item></channel></rss>"#;
    let (before, after) = text.split_once('_').unwrap();
    let bytes = [before.as_bytes(), &[0xE9], after.as_bytes()].concat();
    let origin = origin(None);
    let page = origin.page(&bytes, &origin.page, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(page.items[0].headline, "Café lifts outlook");
}

#[test]
fn what_is_no_page_is_refused_with_the_reason() {
    let origin = origin(None);
    for (text, expected) in [
        ("", "unable to parse feed: no root element"),
        ("<html><body>Not found</body></html>", "unable to parse feed: no root element"),
        (r#"<rss version="2.0"><channel><item><title>t</title>"#, "unable to parse XML"),
        // Where the parser panics.
        (
            "<rss version=\"2.0\"><channel><item><title>t</title><author>\u{2014}\u{2014}a@news.example</author></item></channel></rss>",
            "the parser gave up on it",
        ),
    ] {
        let error = origin.page(text.as_bytes(), &origin.page, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// A page with something broken in it.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let page = prop_oneof![Just(RSS_2), Just(RSS_1), Just(ATOM)];
    (page, any::<prop::sample::Index>(), 0..40_usize, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(
        |(page, at, removed, added)| {
            let mut bytes = page.as_bytes().to_vec();
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + removed);
            bytes.splice(at..end, added);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_every_item_fits_the_stream(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), broken()],
    ) {
        let origin = origin(None);
        if let Ok(page) = origin.page(&bytes, &origin.page, Timestamp::UNIX_EPOCH) {
            for item in page.items {
                prop_assert!(NewsItem::from_record(&item.to_record()).is_ok(), "{item:?}");
            }
        }
    }
}
