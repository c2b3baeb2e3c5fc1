//! What is done to a media file before it is sent: probe, convert, scale, transcode.
