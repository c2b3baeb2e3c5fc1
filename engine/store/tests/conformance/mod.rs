//! What every driver of the store must do, in cases that each driver's test
//! file runs by [`conformance!`]. Each case gets an empty store.

pub mod book;
pub mod bulks;
pub mod events;
pub mod guards;
pub mod history;
pub mod history_chats;
pub mod history_messages;
pub mod keys;
pub mod log;
pub mod media;
pub mod outbox;
pub mod queue;
pub mod reactors;
pub mod registry;
pub mod retention;
pub mod runs;
pub mod targets;

use async_trait::async_trait;
use serde_json::json;
use warest_model::event::{Event, EventKind};
use warest_model::id::{EventId, JobId, RunId, SessionId, TargetId, UserId};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::plan::{Effect, Node, Path, Plan};
use warest_model::reactor::ReactorRef;
use warest_model::run::{Run, RunCause, RunState, Step, StepState};
use warest_model::session::Session;
use warest_model::target::{Target, TargetHealth, TargetOptions};
use warest_model::user::User;
use warest_store::{NewEvent, NewRun, Store};

/// A driver under test.
#[async_trait]
pub trait Driver: Send + Sync {
    /// The store.
    fn store(&self) -> &dyn Store;
    /// Closes the store and opens it again.
    async fn restart(&mut self);
}

/// Runs every case against `$open`, an async function that gives a [`Driver`]
/// with an empty store.
#[macro_export]
macro_rules! conformance {
    ($open:path) => {
        $crate::cases! { $open;
            registry: users_are_found_by_key_and_name, sessions_are_listed_by_owner, names_are_taken_once,
                a_removed_session_leaves_nothing_to_do, a_reused_name_shows_nothing_of_its_past;
            retention: what_is_owed_outlives_every_limit, a_run_outlives_the_delivery_it_answered,
                the_newest_rows_are_kept, a_sweep_goes_in_small_pieces, jobs_and_deliveries_go_once_they_ended,
                redeliveries_are_recognised_until_their_keys_are_too_old, what_there_is_is_measured;
            events: a_redelivery_appends_nothing, a_batch_is_appended_whole_or_not_at_all,
                dispatches_keep_lanes_in_order, a_dispatch_is_decided_once, a_cause_has_one_run,
                state_is_kept_per_chat, events_are_filtered_and_paged, owed_reactors_are_all_named,
                concurrent_appends_all_arrive;
            log: the_log_is_read_on_in_its_order, what_fits_is_the_same_read_or_looked_at,
                the_newest_event_of_an_owner, what_is_appended_meanwhile_is_read_once,
                a_sink_goes_on_where_it_was;
            reactors: flows_are_replaced_and_removed, plugins_are_replaced_and_removed;
            targets: targets_are_set_and_updated, targets_are_added_and_removed, an_attempt_changes_its_targets_health,
                a_target_is_stopped_once_and_resumed;
            runs: a_journal_keeps_its_order, stale_progress_is_refused, waiting_runs_come_soonest_first,
                runs_are_filtered_and_paged, a_run_is_started_once;
            queue: jobs_wait_in_lanes, a_job_is_deferred_and_ends_once, a_job_ends_with_its_run_or_not_at_all,
                a_job_leaves_behind_what_it_did_once;
            guards: an_opt_out_comes_with_its_event, opt_outs_are_listed_and_removed,
                a_budget_of_chats_is_never_overdrawn, a_quota_holds_through_a_restart,
                what_guards_know_goes_with_its_session;
            book: a_scheduled_job_takes_its_place_when_it_is_due, a_queued_job_leaves_the_line_until_its_time,
                a_wedged_job_waits_for_a_person, an_open_job_is_cancelled_with_its_step, jobs_are_filtered_and_paged,
                receipts_are_kept_with_the_job, what_cannot_be_read_waits_to_be_sent_again, holds_are_kept;
            bulks: a_bulk_is_stored_whole_or_not_at_all, a_bulk_is_fed_a_few_at_a_time,
                what_is_left_of_a_bulk_is_cancelled;
            keys: a_key_is_begun_once_and_keeps_its_answer, a_key_that_was_cut_off_begins_again_as_it_was,
                old_keys_are_forgotten;
            history: a_message_comes_with_its_event_or_not_at_all, a_message_that_comes_again_keeps_what_became_of_it,
                a_message_that_could_not_be_read_is_completed, reactions_and_votes_stand_once_for_each_person,
                what_overtakes_its_message_waits_for_it, nobody_speaks_for_the_author,
                odd_times_and_long_texts_do_no_harm, patches_change_what_they_name, what_was_read_is_not_unread_again;
            history_chats: chats_are_listed_as_asked, the_last_message_is_the_newest_that_is_there,
                a_cleared_chat_stays_clear, a_deleted_chat_goes_with_all_that_is_in_it,
                two_names_of_a_person_are_one_chat, a_known_pair_makes_one_chat_from_the_start,
                contacts_and_labels_are_listed, a_removed_session_takes_its_history_with_it;
            history_messages: messages_are_filtered_and_paged, words_are_found_by_their_beginnings,
                a_search_takes_nothing_for_its_own_language, a_total_is_counted_up_to_a_bound, a_rare_word_is_found_among_many_messages,
                old_messages_go_and_counts_agree;
            media: a_file_comes_with_its_message, a_file_is_fetched_tried_again_or_given_up,
                a_file_goes_with_its_last_message, an_upload_stays_until_its_time_is_over,
                old_files_go_the_oldest_first, command_books_are_kept;
            outbox: deliveries_wait_in_lanes, an_attempt_is_recorded_with_its_run, owed_targets_are_all_named,
                deliveries_are_filtered_and_paged, a_replayed_delivery_is_owed_behind_all_others,
                a_range_is_replayed_in_bounded_pieces, old_attempts_make_room;
        }
    };
}

/// Makes a test of every case.
#[macro_export]
macro_rules! cases {
    ($open:path; $($room:ident: $($case:ident),+;)+) => {
        $(mod $room {
            $(#[tokio::test]
            async fn $case() {
                let mut driver = $open().await;
                $crate::conformance::$room::$case(&mut driver).await;
            })+
        })+
    };
}

/// The moment at which everything in the cases happens.
pub const NOW: i64 = 1_700_000_000_000;

pub fn jid(text: &str) -> Jid {
    Jid::parse(text, "62").unwrap()
}

pub fn name(text: &str) -> SessionId {
    text.parse().unwrap()
}

pub fn new_user(username: &str) -> User {
    User { id: UserId::new(NOW), username: username.to_owned(), is_admin: false, created_ms: NOW }
}

pub fn new_session(id: &str, owner: &UserId) -> Session {
    Session {
        id: name(id),
        owner: owner.clone(),
        label: format!("label of {id}"),
        enabled: true,
        me: None,
        created_ms: NOW,
    }
}

pub fn new_event(session: &str, chat: &str) -> Event {
    Event {
        id: EventId::new(NOW),
        session: name(session),
        kind: EventKind::MessageReceived,
        chat: (!chat.is_empty()).then(|| jid(chat)),
        ts_ms: NOW,
        data: json!({"text": "hi"}),
    }
}

pub fn owed(event: &Event, to: &[ReactorRef]) -> NewEvent {
    NewEvent { event: event.clone(), dedup: None, owed: to.to_vec(), consent: None, changes: Vec::new() }
}

pub fn plugin(name: &str) -> ReactorRef {
    ReactorRef::Plugin(name.to_owned())
}

pub fn new_target(session: &str) -> Target {
    Target {
        id: TargetId::new(NOW),
        session: name(session),
        url: "https://example.com/hook".to_owned(),
        secret: "hook-secret".to_owned(),
        old_secret: None,
        is_default: false,
        options: TargetOptions::default(),
        health: TargetHealth::default(),
    }
}

pub fn new_step(path: &str, state: StepState) -> Step {
    Step {
        path: Path::from_text(path),
        action: "text".to_owned(),
        state,
        attempts: 0,
        message_id: None,
        due_ms: None,
        fault: None,
        started_ms: NOW,
        ended_ms: None,
    }
}

pub fn new_job(session: &str, chat: &str) -> SendJob {
    let effect = Effect::text(jid("628111"), "hi");
    SendJob {
        chat: (!chat.is_empty()).then(|| jid(chat)),
        message_id: "3EB0AA".to_owned(),
        ..SendJob::new(JobId::new(NOW), name(session), effect, NOW)
    }
}

/// A run with two steps that wait for nothing.
pub fn new_run(session: &str, by: &str, event: Option<&Event>) -> NewRun {
    let run = Run {
        id: RunId::new(NOW),
        session: name(session),
        chat: event.and_then(|event| event.chat.clone()),
        cause: RunCause { by: by.to_owned(), event: event.map(|event| event.id.clone()) },
        plan: Plan { nodes: vec![Node::Noop, Node::Delay { ms: 5 }], ..Plan::default() },
        state: RunState::Active,
        fault: None,
        created_ms: NOW,
        ended_ms: None,
    };
    let steps = vec![new_step("1", StepState::Waiting), new_step("0", StepState::Done)];
    NewRun { run, steps, jobs: Vec::new(), wake_ms: None }
}
