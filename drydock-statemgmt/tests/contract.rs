//! What every store must do: one suite, run on SQLite and on PostgreSQL.
//!
//! PostgreSQL is taken from `DRYDOCK_TEST_POSTGRES`, the URL of a database whose user may make
//! databases (`postgres://user@127.0.0.1:port/postgres`). Without it these tests are skipped, but never in CI.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "contract/advance.rs"]
mod advance;
#[path = "contract/boot.rs"]
mod boot;
#[path = "contract/build_data.rs"]
mod build_data;
#[path = "contract/claims.rs"]
mod claims;
#[path = "contract/conflicts.rs"]
mod conflicts;
#[path = "contract/designs.rs"]
mod designs;
#[path = "contract/events.rs"]
mod events;
#[path = "contract/journal.rs"]
mod journal;
#[path = "contract/leadership.rs"]
mod leadership;
#[path = "contract/opening.rs"]
mod opening;
#[path = "contract/operator.rs"]
mod operator;
#[path = "contract/place.rs"]
mod place;
#[path = "contract/purge.rs"]
mod purge;
#[path = "contract/release.rs"]
mod release;
#[path = "contract/tasks.rs"]
mod tasks;
#[path = "contract/terminate.rs"]
mod terminate;
#[path = "contract/texts.rs"]
mod texts;
#[path = "contract/wake.rs"]
mod wake;
#[path = "contract/waves.rs"]
mod waves;

macro_rules! contract {
    ($($subject:ident: [$($name:ident),+ $(,)?]),+ $(,)?) => {
        mod sqlite {
            $(mod $subject {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    crate::place::on_sqlite(crate::$subject::$name).await;
                })+
            })+
        }
        mod postgres {
            $(mod $subject {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    crate::place::on_postgres(crate::$subject::$name).await;
                })+
            })+
        }
    };
}

contract! {
    designs: [
        sources_stand_in_the_order_of_their_upload,
        a_change_against_an_old_revision_is_refused,
        of_concurrent_changes_one_wins,
        a_copy_lives_without_its_base,
        a_design_in_use_is_not_deleted,
        pinned_contents_stay,
        sources_are_replaced_as_a_whole,
    ],
    tasks: [
        a_task_comes_back_as_it_was_given,
        tasks_are_counted_by_status,
        an_idempotency_key_gives_the_first_task,
        the_queue_goes_by_priority_then_age,
        a_tree_is_found_by_any_id_in_it,
        trees_are_listed_by_criteria,
        trees_are_listed_from_one_on_and_the_other_way_round,
        the_newest_tree_of_a_node_is_found,
        only_the_leader_plans,
        a_plan_is_taken_once,
        a_plan_that_cannot_be_kept_leaves_nothing,
        a_task_ends_by_its_verdict,
        long_and_odd_texts_survive,
    ],
    claims: [
        a_claim_counts_and_dates_the_step,
        higher_priority_first_then_older,
        sixteen_claimers_get_each_step_once,
        one_step_at_a_time_on_a_node,
        a_task_keeps_the_nodes_it_has_begun_on,
        a_first_step_given_back_keeps_its_node,
        a_power_cycle_that_has_begun_is_ended_though_its_task_is_to_stop,
        sixteen_claimers_never_share_a_node,
        waiting_steps_come_back_when_due,
        facts_of_earlier_steps_come_with_a_claim,
        stale_tokens_change_nothing,
    ],
    conflicts: [
        the_site_belongs_to_one_task_at_a_time,
        a_step_that_cannot_begin_names_the_task_in_its_way,
        no_more_nodes_are_begun_on_than_the_limit_allows,
        a_limit_without_room_makes_nothing_due,
    ],
    waves: [
        a_strategy_comes_back_as_it_was_given,
        so_many_nodes_at_once_and_no_more,
        sixteen_claimers_never_exceed_a_strategy,
        the_rest_waits_for_the_canaries,
        too_many_failures_stop_what_has_not_begun,
        a_plain_failure_stops_nothing,
        a_terminated_task_lets_nothing_more_begin,
    ],
    events: [
        what_happens_is_told_in_order,
        a_stop_is_told,
        a_reader_misses_nothing,
    ],
    release: [
        claims_are_returned,
        what_is_held_unknowingly_is_returned,
        silent_instances_lose_their_steps_and_living_ones_do_not,
        a_deposed_leader_takes_nothing_back,
    ],
    advance: [
        pipelines_run_side_by_side_and_stages_one_after_another,
        a_failure_skips_the_rest_of_its_pipeline_only,
        a_failed_site_step_stops_the_later_stages,
        two_last_ends_at_once_open_the_next_stage,
    ],
    terminate: [
        a_queued_task_is_terminated_at_once,
        what_has_not_begun_or_waits_is_terminated_at_once,
        running_steps_end_first,
        a_step_that_would_wait_is_terminated,
        a_step_given_back_is_terminated,
        an_ended_task_is_not_terminated,
    ],
    journal: [
        entries_stand_in_order_with_their_outcomes,
        a_repeated_write_is_no_fault,
        only_the_holder_writes,
    ],
    boot: [
        a_fresh_context_voids_the_old,
        only_the_holder_opens_a_context,
        what_a_machine_says_is_limited,
        reports_are_final_and_reach_the_step,
        a_report_without_a_step_reaches_the_task,
        a_report_during_the_look_is_not_slept_over,
    ],
    build_data: [
        it_comes_back_by_node_and_by_task,
        only_the_holder_keeps_any,
        the_newest_of_each_generator_are_kept,
        it_outlives_its_task,
    ],
    operator: [
        an_answer_wakes_the_step_and_is_final,
        an_answer_during_the_look_is_not_slept_over,
        a_request_outlives_a_restart,
        only_the_holder_asks_and_only_what_was_asked_is_answered,
        a_step_that_has_ended_takes_no_answer,
    ],
    purge: [
        what_ended_long_ago_goes_and_its_journal_stays,
        what_has_not_ended_stays,
        a_plan_stays_while_it_is_carried_out,
    ],
    leadership: [
        one_of_sixteen_wins,
        a_silent_king_is_followed_by_the_next_epoch,
        abdication_frees_the_hill_at_once,
        a_heartbeat_says_farewell,
    ],
    opening: [
        ten_servers_open_a_fresh_database_at_once,
        a_newer_schema_is_refused,
        what_was_written_is_there_after_a_restart,
        it_answers_a_ping,
    ],
    texts: [
        long_names_survive,
        times_are_utc_whatever_the_zone,
    ],
    wake: [
        verbs_that_make_work_call,
        a_call_between_two_looks_is_kept,
    ],
}
