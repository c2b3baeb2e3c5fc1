//! What a file is: by its content first, then by what was declared, then by its
//! name. Only content makes a file an image, a video or audio; a word for it
//! does not.

use crate::facts::Kind;

/// Bytes from a file's beginning that its type is read from.
pub(crate) const HEAD: usize = 8192;

/// The MIME type of OGG Opus, as WhatsApp's apps want it for voice notes.
pub(crate) const OGG_OPUS: &str = "audio/ogg; codecs=opus";

/// What a file's beginning says it is.
pub(crate) fn by_content(head: &[u8]) -> Option<&'static str> {
    if is_svg(head) {
        return Some("image/svg+xml");
    }
    if head.starts_with(b"OggS") && head.get(28..36) == Some(b"OpusHead") {
        return Some(OGG_OPUS);
    }
    if let Some(found) = infer::get(head) {
        return Some(match found.mime_type() {
            "audio/m4a" => "audio/mp4",
            "audio/x-wav" => "audio/wav",
            "audio/x-flac" => "audio/flac",
            "audio/x-aiff" => "audio/aiff",
            "audio/opus" => OGG_OPUS,
            "video/x-m4v" => "video/mp4",
            other => other,
        });
    }
    match (head.get(4..8), head.get(8..10)) {
        (Some(b"ftyp"), Some(b"3g")) => Some("video/3gpp"),
        (Some(b"ftyp"), _) => Some("video/mp4"),
        _ => None,
    }
}

fn is_svg(head: &[u8]) -> bool {
    let text = &head[..head.len().min(2048)];
    let begins = text.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    begins == Some(&b'<') && text.windows(4).any(|word| word.eq_ignore_ascii_case(b"<svg"))
}

/// The type of a file with this beginning, this declared type and this name.
pub(crate) fn choose(head: &[u8], declared: Option<&str>, name: Option<&str>) -> String {
    let content = by_content(head);
    if let Some(content) = content
        && !is_vague(content)
    {
        return content.to_owned();
    }
    let named = || name.and_then(|name| mime_guess::from_path(name).first_raw()).map(str::to_owned);
    declared.and_then(essence).or_else(named).or(content.map(str::to_owned)).unwrap_or_else(|| {
        if std::str::from_utf8(head).is_ok_and(|text| !text.is_empty() && !text.contains('\0')) {
            "text/plain".to_owned()
        } else {
            "application/octet-stream".to_owned()
        }
    })
}

/// Types that many more particular ones look like.
fn is_vague(mime: &str) -> bool {
    matches!(mime, "application/zip" | "application/x-ole-storage" | "text/xml" | "application/gzip")
}

/// `type/subtype` of a declared type; none if it says nothing or is no type.
fn essence(declared: &str) -> Option<String> {
    let essence = declared.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let says = token(kind) && token(subtype) && essence.len() <= 100;
    (says && essence != "application/octet-stream" && essence != "binary/octet-stream").then_some(essence)
}

/// How a file of a type is sent, if its content is of that type.
pub(crate) fn kind(mime: &str) -> Kind {
    match mime {
        "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/bmp" => Kind::Image,
        mime if demuxer(mime).is_none() => Kind::Document,
        mime if mime.starts_with("video/") => Kind::Video,
        _ => Kind::Audio,
    }
}

/// ffmpeg's reader for files of a type: it is told, so that no file chooses it.
pub(crate) fn demuxer(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "video/mp4" | "video/quicktime" | "video/3gpp" | "audio/mp4" => "mov",
        "video/webm" | "video/x-matroska" | "audio/webm" => "matroska",
        "video/x-msvideo" => "avi",
        "video/x-flv" => "flv",
        "video/x-ms-wmv" => "asf",
        "video/mpeg" => "mpeg",
        "audio/mpeg" => "mp3",
        "audio/ogg" | OGG_OPUS => "ogg",
        "audio/wav" => "wav",
        "audio/aac" => "aac",
        "audio/flac" => "flac",
        "audio/amr" => "amr",
        "audio/aiff" => "aiff",
        "image/gif" => "gif",
        _ => return None,
    })
}

/// The usual ending of files of a type, without the dot.
pub(crate) fn extension(mime: &str, name: Option<&str>) -> String {
    let usual = match mime {
        "image/jpeg" => Some("jpg"),
        "image/tiff" => Some("tiff"),
        "video/mp4" => Some("mp4"),
        "video/quicktime" => Some("mov"),
        "video/x-matroska" => Some("mkv"),
        "video/mpeg" => Some("mpg"),
        "audio/mpeg" => Some("mp3"),
        "audio/mp4" => Some("m4a"),
        "audio/ogg" | OGG_OPUS => Some("ogg"),
        "audio/wav" => Some("wav"),
        "audio/aac" => Some("aac"),
        "text/plain" => Some("txt"),
        "text/html" => Some("html"),
        "application/octet-stream" => None,
        other => mime_guess::get_mime_extensions_str(other).and_then(|endings| endings.first().copied()),
    };
    let named = || {
        let ending = name?.rsplit_once('.')?.1.to_ascii_lowercase();
        ((1..=10).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(ending)
    };
    // The name knows better which of many endings was meant.
    let fits = |ending: &String| mime_guess::from_ext(ending).iter_raw().any(|guess| guess == mime);
    named().filter(fits).or(usual.map(str::to_owned)).or_else(named).unwrap_or_else(|| "bin".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_words_and_words_over_nothing() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert_eq!(choose(png, Some("video/mp4"), Some("a.pdf")), "image/png");
        assert_eq!(choose(b"PK\x03\x04rest", Some("application/epub+zip"), None), "application/epub+zip");
        assert_eq!(choose(b"a,b\n1,2", None, Some("table.csv")), "text/csv");
        assert_eq!(choose(b"a,b\n1,2", Some("application/octet-stream"), None), "text/plain");
        assert_eq!(choose(b"a,b", Some("no type; at all"), None), "text/plain");
        assert_eq!(choose(b"\0\x01\x02", None, None), "application/octet-stream");
    }

    #[test]
    fn svg_is_a_document_whatever_it_is_called() {
        let svg = b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='http://www.w3.org/2000/svg'/>";
        assert_eq!(choose(svg, Some("image/png"), Some("a.png")), "image/svg+xml");
        assert_eq!(kind("image/svg+xml"), Kind::Document);
    }

    #[test]
    fn endings_follow_the_type_and_the_name_where_it_fits() {
        assert_eq!(extension("image/jpeg", Some("a.jpeg")), "jpeg");
        assert_eq!(extension("image/jpeg", Some("a.exe")), "jpg");
        assert_eq!(extension(OGG_OPUS, None), "ogg");
        assert_eq!(extension("application/octet-stream", Some("a.DAT")), "dat");
        assert_eq!(extension("application/octet-stream", Some("a.../x")), "bin");
    }
}
