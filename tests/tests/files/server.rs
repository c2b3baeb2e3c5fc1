//! A server of files on this machine, which says of them what it likes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How a path is answered.
pub enum Answer {
    /// The file, as it is.
    File(PathBuf),
    /// A type and bytes.
    Bytes(&'static str, Vec<u8>),
    /// A length, and as many bytes as these: more or less.
    Lie { says: u64, sends: u64 },
    /// A body that never ends: pieces of so many bytes, with a pause after each.
    Endless { piece: usize, pause: Duration },
    /// Elsewhere.
    Redirect(String),
}

/// Serves these paths; answers the base of their URLs.
pub async fn serve(answers: Vec<(&'static str, Answer)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = answers.clone();
            // Who hangs up has heard enough.
            tokio::spawn(async move { drop(answer(stream, &answers).await) });
        }
    });
    base
}

async fn answer(mut stream: TcpStream, answers: &[(&'static str, Answer)]) -> io::Result<()> {
    let (reader, mut to) = stream.split();
    let mut lines = BufReader::new(reader.take(64 << 10)).lines();
    let asked = lines.next_line().await?.unwrap_or_default();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    let path = asked.split([' ', '?']).nth(1).unwrap_or_default();
    let found = answers.iter().find(|(of, _)| *of == path).map(|(_, answer)| answer);
    let mut head =
        async |line: String| to.write_all(format!("HTTP/1.1 {line}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    match found {
        None => head("404 Not Found\r\nContent-Length: 0".to_owned()).await,
        Some(Answer::Redirect(there)) => head(format!("302 Found\r\nContent-Length: 0\r\nLocation: {there}")).await,
        Some(Answer::File(path)) => {
            let mut file = tokio::fs::File::open(path).await?;
            let length = file.metadata().await?.len();
            head(format!("200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {length}")).await?;
            tokio::io::copy(&mut file, &mut to).await.map(drop)
        }
        Some(Answer::Bytes(kind, bytes)) => {
            head(format!("200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}", bytes.len())).await?;
            to.write_all(bytes).await
        }
        Some(Answer::Lie { says, sends }) => {
            head(format!("200 OK\r\nContent-Type: image/png\r\nContent-Length: {says}")).await?;
            tokio::io::copy(&mut tokio::io::repeat(b'x').take(*sends), &mut to).await.map(drop)
        }
        Some(Answer::Endless { piece, pause }) => {
            head("200 OK\r\nTransfer-Encoding: chunked".to_owned()).await?;
            let piece = [format!("{piece:x}\r\n").into_bytes(), vec![b'x'; *piece], b"\r\n".to_vec()].concat();
            loop {
                to.write_all(&piece).await?;
                tokio::time::sleep(*pause).await;
            }
        }
    }
}
