//! Media: the files of messages and uploads.
//!
//! A row says what is known of a file and where it is; the file itself is an object
//! on the [`MediaShelf`]. A row of a message that came in is made with the message, and is
//! `pending` until the file was fetched. What is to be removed is marked `gone` first,
//! so that no crash leaves an object that nobody knows of: its object goes next, and
//! then its name from the row. The one thing a crash can leave is an object whose row
//! does not say yet that it is there: fetching it again takes its place.

mod object_shelf;
mod rows;
mod segments;
mod shelf;

pub use object_shelf::{ObjectShelf, ShelfOptions};
pub use rows::{MediaDirection, MediaFile, MediaRow, MediaRows, MediaState};
pub use shelf::{FileStream, MediaShelf, Object, Opened, ShelfError, Shelved, object_name};
