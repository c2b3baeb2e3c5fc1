//! The application codes of the envelope: one table, each with the name, the HTTP
//! status and whether trying again may help. Clients switch on these numbers, so
//! none of them ever changes its meaning.

use axum::http::StatusCode;

/// An application code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `code` of the envelope.
    pub number: u16,
    /// Its name in the documentation.
    pub name: &'static str,
    /// The HTTP status it usually comes with.
    pub http: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Code {
    /// The HTTP status it usually comes with.
    pub fn status(self) -> StatusCode {
        // Every status of the table is a valid one; a test reads them all.
        StatusCode::from_u16(self.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $http:literal, $retryable:literal;)*) => {
        $(
            #[doc = concat!("Code ", $number, ", HTTP ", $http, ".")]
            pub const $name: Code =
                Code { number: $number, name: stringify!($name), http: $http, retryable: $retryable };
        )*

        /// Every code, in ascending order.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    SUCCESS = 1000, 200, false;
    ACCEPTED = 1001, 202, false;
    QUEUED = 1002, 202, false;
    SCHEDULED = 1003, 202, false;
    PARTIAL_SUCCESS = 1004, 207, false;
    NOOP = 1005, 200, false;
    SESSION_REQUIRED = 1100, 400, false;
    SESSION_NOT_FOUND = 1101, 404, false;
    SESSION_ALREADY_EXISTS = 1102, 409, false;
    SESSION_CLOSED = 1103, 409, true;
    SESSION_OPEN = 1104, 200, false;
    SESSION_BUSY = 1105, 429, true;
    SESSION_NOT_LOGGED_IN = 1106, 409, true;
    SESSION_QR_REQUIRED = 1107, 202, true;
    SESSION_QR_EXPIRED = 1108, 409, true;
    SESSION_RECONNECT_SCHEDULED = 1109, 202, true;
    SESSION_LOGIN_PENDING = 1110, 202, true;
    WEBHOOK_DISABLED = 1200, 200, false;
    WEBHOOK_INVALID_URL = 1201, 400, false;
    WEBHOOK_TIMEOUT = 1202, 504, true;
    WEBHOOK_REJECTED = 1203, 502, true;
    WEBHOOK_SIGNATURE_INVALID = 1204, 401, false;
    SOCKET_UNAUTHORIZED = 1400, 401, false;
    SOCKET_RATE_LIMITED = 1401, 429, true;
    SOCKET_ROOM_NOT_FOUND = 1402, 404, false;
    SOCKET_ALREADY_JOINED = 1403, 200, false;
    SOCKET_NOT_CONNECTED = 1404, 503, true;
    SSE_UNAVAILABLE = 1600, 503, true;
    SSE_CLIENT_DISCONNECTED = 1601, 499, true;
    BAD_REQUEST = 2000, 400, false;
    MISSING_PARAMETER = 2001, 400, false;
    INVALID_PARAMETER = 2002, 400, false;
    INVALID_STATE = 2003, 409, false;
    CONFLICT = 2004, 409, false;
    UNSUPPORTED_OPERATION = 2005, 400, false;
    PAYLOAD_TOO_LARGE = 2006, 413, false;
    UNSUPPORTED_MEDIA_TYPE = 2007, 415, false;
    MALFORMED_JSON = 2008, 400, false;
    DUPLICATE_REQUEST = 2009, 409, true;
    METHOD_NOT_ALLOWED = 2010, 405, false;
    NOT_ACCEPTABLE = 2011, 406, false;
    UNPROCESSABLE_ENTITY = 2012, 422, false;
    UNAUTHORIZED = 2200, 401, false;
    FORBIDDEN = 2201, 403, false;
    TOKEN_EXPIRED = 2202, 401, true;
    TOKEN_INVALID = 2203, 401, false;
    API_KEY_INVALID = 2204, 401, false;
    INSUFFICIENT_SCOPE = 2205, 403, false;
    RATE_LIMITED = 2400, 429, true;
    QUOTA_EXCEEDED = 2401, 429, true;
    CONCURRENCY_LIMIT = 2402, 429, true;
    NOT_FOUND = 2600, 404, false;
    MESSAGE_NOT_FOUND = 2601, 404, false;
    USER_NOT_FOUND = 2602, 404, false;
    CHAT_NOT_FOUND = 2603, 404, false;
    GROUP_NOT_FOUND = 2604, 404, false;
    MEDIA_NOT_FOUND = 2605, 404, false;
    DOWNSTREAM_ERROR = 2800, 502, true;
    DOWNSTREAM_TIMEOUT = 2801, 504, true;
    DNS_ERROR = 2802, 502, true;
    NETWORK_ERROR = 2803, 503, true;
    SEND_QUEUED = 3000, 202, false;
    SEND_THROTTLED = 3001, 429, true;
    SEND_FAILED = 3002, 502, true;
    MEDIA_UPLOAD_FAILED = 3003, 502, true;
    UNSUPPORTED_MESSAGE_TYPE = 3004, 400, false;
    RECIPIENT_NOT_ALLOWED = 3005, 403, false;
    RECIPIENT_BLOCKED = 3006, 403, false;
    RECIPIENT_INVALID = 3007, 400, false;
    TEMPLATE_NOT_FOUND = 3008, 404, false;
    TEMPLATE_REJECTED = 3009, 422, false;
    BUTTONS_LIMIT_EXCEEDED = 3010, 400, false;
    LIST_FORMAT_INVALID = 3011, 400, false;
    POLL_INVALID = 3012, 400, false;
    STICKER_CONVERT_FAILED = 3013, 502, true;
    CAPTION_TOO_LONG = 3014, 400, false;
    MESSAGE_TOO_LONG = 3015, 400, false;
    MESSAGE_DELETE_FAILED = 4000, 502, true;
    MESSAGE_EDIT_NOT_ALLOWED = 4001, 403, false;
    MESSAGE_FORWARD_FAILED = 4002, 502, true;
    MESSAGE_PIN_NOT_ALLOWED = 4003, 403, false;
    MESSAGE_ALREADY_DELETED = 4004, 409, false;
    REACTION_FAILED = 4005, 502, true;
    CHAT_ARCHIVE_FAILED = 4500, 502, true;
    CHAT_UNARCHIVE_FAILED = 4501, 502, true;
    CHAT_MUTE_FAILED = 4502, 502, true;
    CHAT_MARK_READ_FAILED = 4503, 502, true;
    CHAT_MARK_UNREAD_FAILED = 4504, 502, true;
    GROUP_CREATE_FAILED = 5000, 502, true;
    GROUP_UPDATE_FAILED = 5001, 502, true;
    GROUP_ADD_PARTICIPANT_FAILED = 5002, 502, true;
    GROUP_REMOVE_PARTICIPANT_FAILED = 5003, 502, true;
    GROUP_PROMOTE_FAILED = 5004, 502, true;
    GROUP_DEMOTE_FAILED = 5005, 502, true;
    GROUP_INVITE_FAILED = 5006, 502, true;
    GROUP_LEAVE_FAILED = 5007, 502, true;
    GROUP_NOT_ADMIN = 5008, 403, false;
    GROUP_SUBJECT_TOO_LONG = 5009, 400, false;
    GROUP_DESCRIPTION_TOO_LONG = 5010, 400, false;
    MEDIA_DOWNLOAD_FAILED = 5500, 502, true;
    MEDIA_PROCESSING = 5501, 202, true;
    MEDIA_UNSUPPORTED_FORMAT = 5502, 415, false;
    MEDIA_TOO_LARGE = 5503, 413, false;
    MEDIA_NOT_AVAILABLE = 5504, 410, false;
    ME_INFO_UNAVAILABLE = 6000, 503, true;
    CONTACT_NOT_FOUND = 6001, 404, false;
    CONTACT_BLOCK_FAILED = 6002, 502, true;
    CONTACT_UNBLOCK_FAILED = 6003, 502, true;
    PRESENCE_UNAVAILABLE = 6004, 503, true;
    JOB_SCHEDULED = 7000, 202, false;
    JOB_RUNNING = 7001, 200, false;
    JOB_COMPLETED = 7002, 200, false;
    JOB_FAILED = 7003, 500, true;
    JOB_CANCELLED = 7004, 200, false;
    JOB_NOT_FOUND = 7005, 404, false;
    INTERNAL_ERROR = 8000, 500, true;
    SERVICE_UNAVAILABLE = 8001, 503, true;
    TIMEOUT = 8002, 504, true;
    DATABASE_ERROR = 8003, 500, true;
    CACHE_ERROR = 8004, 500, true;
    NOT_IMPLEMENTED = 8005, 501, false;
    FEATURE_FLAG_DISABLED = 8006, 403, false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_status_is_one() {
        assert_eq!(ALL.len(), 122);
        assert!(ALL.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert!(ALL.iter().all(|code| StatusCode::from_u16(code.http).is_ok()));
    }

    #[test]
    fn codes_are_what_clients_know_them_as() {
        assert_eq!((SESSION_QR_REQUIRED.number, SESSION_QR_REQUIRED.http), (1107, 202));
        assert_eq!((API_KEY_INVALID.number, API_KEY_INVALID.http), (2204, 401));
        assert_eq!((SEND_FAILED.number, SEND_FAILED.http), (3002, 502));
        assert_eq!(SESSION_NOT_FOUND.name, "SESSION_NOT_FOUND");
    }
}
