//! Voice notes.

use crate::support::{Room, streams};
use warest_media::MediaError;

/// A second of silence, then a second of a tone.
const QUIET_THEN_LOUD: &str = "-f lavfi -i sine=frequency=440:duration=2,volume='if(lt(t,1),0,1)':eval=frame";

#[tokio::test]
async fn sound_becomes_a_voice_note_with_length_and_waveform() {
    let room = Room::new();
    for name in ["a.mp3", "a.wav", "a.m4a"] {
        let path = room.made(name, QUIET_THEN_LOUD);
        let note = room.media().voice_note(&path).await.unwrap();
        assert_eq!(note.facts.mime, "audio/ogg; codecs=opus");
        assert!((note.seconds - 2.0).abs() < 0.1, "{name}: {}", note.seconds);
        assert!((note.facts.seconds.unwrap() - 2.0).abs() < 0.1, "{name}: {:?}", note.facts);
        let waveform = note.waveform.unwrap();
        assert!(waveform[2..28].iter().all(|bar| *bar < 5), "{name}: {waveform:?}");
        assert!(waveform[36..62].iter().all(|bar| *bar > 80), "{name}: {waveform:?}");
        let streams = streams(note.file.as_ref().unwrap());
        assert!(streams.contains("codec_name=opus") && streams.contains("channels=1"), "{streams}");
        assert!(streams.contains("sample_rate=48000"), "{streams}");
        let missing = room.without_ffmpeg().voice_note(&path).await;
        assert!(matches!(missing, Err(MediaError::FfmpegMissing { .. })), "{missing:?}");
    }
}

#[tokio::test]
async fn ogg_opus_is_sent_as_it_is_and_without_ffmpeg() {
    let room = Room::new();
    let path = room.made("a.ogg", &format!("{QUIET_THEN_LOUD} -c:a libopus"));
    let before = std::fs::read(&path).unwrap();
    let note = room.without_ffmpeg().voice_note(&path).await.unwrap();
    assert!(note.file.is_none() && note.waveform.is_none());
    assert!((note.seconds - 2.0).abs() < 0.05, "{}", note.seconds);
    let note = room.media().voice_note(&path).await.unwrap();
    assert!(note.file.is_none());
    assert_eq!(note.path(&path), path);
    assert!(note.waveform.unwrap()[40] > 80);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_video_lends_its_sound_and_a_silent_one_is_refused() {
    let room = Room::new();
    let note = room.media().voice_note(&room.video("a.mp4")).await.unwrap();
    assert!((note.seconds - 2.0).abs() < 0.1);
    let silent = room.made("silent.mp4", "-f lavfi -i testsrc=duration=1:size=64x64:rate=5 -pix_fmt yuv420p");
    let refused = room.media().voice_note(&silent).await;
    assert!(matches!(refused, Err(MediaError::Unsupported { .. })), "{refused:?}");
}
