//! Why a file could not be worked on, in words that say what to do.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// More pixels than are accepted.
    #[error("the picture has {pixels} pixels, more than the {limit} that are accepted: send a smaller one")]
    TooLarge {
        /// Pixels of the picture, as its header says.
        pixels: u64,
        /// Most pixels accepted.
        limit: u64,
    },
    /// More bytes than are accepted, of a file, of its decoded form or of a result.
    #[error("{what} takes {bytes} bytes, more than the {limit} that are accepted: send a smaller file")]
    TooHeavy {
        /// What is too heavy.
        what: &'static str,
        /// Its bytes.
        bytes: u64,
        /// Most bytes accepted.
        limit: u64,
    },
    /// A kind of file that the operation has no use for.
    #[error("{mime} cannot be used here: {wanted} is needed")]
    Unsupported {
        /// What the file is.
        mime: String,
        /// What is accepted.
        wanted: &'static str,
    },
    /// The file is not what its beginning promises.
    #[error("the file is damaged or incomplete: {what}")]
    Corrupt {
        /// What is wrong with it.
        what: String,
    },
    /// A parameter out of its range.
    #[error("{field} {why}")]
    Refused {
        /// The parameter.
        field: &'static str,
        /// What it should be.
        why: String,
    },
    /// ffmpeg is needed and not there.
    #[error("ffmpeg is needed for {needed_for}: install ffmpeg or set WAREST_COMPRESS_FFMPEG_PATH")]
    FfmpegMissing {
        /// What it is needed for.
        needed_for: &'static str,
    },
    /// The work took too long and was ended.
    #[error("the file took longer than {seconds} s to convert: send a shorter or smaller one")]
    Timeout {
        /// The deadline.
        seconds: u64,
    },
    /// ffmpeg gave up.
    #[error("the file could not be converted: {0}")]
    Ffmpeg(String),
    /// The machine's file system failed.
    #[error("a file could not be read or written: {0}")]
    Io(#[from] std::io::Error),
}

impl MediaError {
    /// A damaged file.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        // Decoders quote what they read; a line is enough of that.
        Self::Corrupt { what: what.to_string().chars().filter(|c| !c.is_control()).take(200).collect() }
    }
}

impl From<image::ImageError> for MediaError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                // Decoders report what they do not like as InvalidData and the like;
                // only an error that the system numbered is the system's.
                if error.raw_os_error().is_some() { Self::Io(error) } else { Self::corrupt(error) }
            }
            error => Self::corrupt(error),
        }
    }
}
