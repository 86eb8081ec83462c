//! Rules of the Evaluation aggregate, and how the cases of a backtest are counted.

use timeloom_domain::evaluation::{
    BacktestCounter, BacktestReport, BacktestVerdict, CASES_MAX, CASES_TOLD_MAX, Compared, Evaluation, EvaluationCases,
    EvaluationCommand, EvaluationEvent, EvaluationRefusal, EvaluationReport, EvaluationRequest, EvaluationSubject,
    InferenceSelection, Latencies,
};
use timeloom_domain::ids::InferenceId;
use timeloom_domain::inference::OutputComparison;
use uuid::Uuid;

use crate::given::given;
use crate::samples::slug;

fn request(selection: InferenceSelection) -> Box<EvaluationRequest> {
    Box::new(EvaluationRequest {
        subject: EvaluationSubject::ModelVersion { model: slug("mood"), version: 2 },
        cases: EvaluationCases::Inferences(selection),
        tolerance: 1_000,
        scorers: Vec::new(),
        at_ms: 1,
    })
}

fn newest(last: u32) -> InferenceSelection {
    InferenceSelection { last, ..InferenceSelection::default() }
}

fn report() -> Box<EvaluationReport> {
    Box::new(EvaluationReport::Backtest(BacktestReport::default()))
}

#[test]
fn an_evaluation_is_asked_for_once_and_the_first_word_about_it_stands() {
    let requested = || EvaluationEvent::EvaluationRequested(request(newest(10)));
    let completed = || EvaluationEvent::EvaluationCompleted { report: report(), at_ms: 2 };
    given::<Evaluation>([]).when(EvaluationCommand::Request(request(newest(10)))).then([requested()]);
    let again = EvaluationCommand::Request(request(newest(10)));
    given::<Evaluation>([requested()]).when(again).refused(EvaluationRefusal::AlreadyExists);
    let complete = || EvaluationCommand::Complete { report: report(), at_ms: 2 };
    given::<Evaluation>([requested()]).when(complete()).then([completed()]);
    given::<Evaluation>([]).when(complete()).refused(EvaluationRefusal::NotFound);
    let fail = EvaluationCommand::Fail { reason: "gone".to_owned(), at_ms: 3 };
    given::<Evaluation>([requested(), completed()]).when(fail).changes_nothing();
}

#[test]
fn an_evaluation_of_nothing_or_too_much_is_refused() {
    let refused = |selection, why| {
        given::<Evaluation>([]).when(EvaluationCommand::Request(request(selection))).refused(why);
    };
    refused(newest(0), EvaluationRefusal::Cases);
    refused(newest(u32::try_from(CASES_MAX).unwrap() + 1), EvaluationRefusal::Cases);
    let times = InferenceSelection { from_ms: Some(5), until_ms: Some(5), ..newest(1) };
    refused(times, EvaluationRefusal::NoTime);
    let loose = Box::new(EvaluationRequest { tolerance: 1_000_001, ..*request(newest(1)) });
    given::<Evaluation>([]).when(EvaluationCommand::Request(loose)).refused(EvaluationRefusal::Tolerance);
}

fn inference(number: u128) -> InferenceId {
    InferenceId(Uuid::from_u128(number))
}

fn answered(same: bool, apart: f64, class_changed: bool, us: u64) -> Compared {
    let outputs = OutputComparison { same, apart: Some(apart), class_changed };
    Compared::Answered { outputs, recorded_us: us, candidate_us: us * 2 }
}

#[test]
fn cases_are_counted_by_what_came_of_them_and_the_worst_are_told_first() {
    let mut counter = BacktestCounter::new(1_000);
    counter.take(inference(1), answered(true, 0.0, false, 10));
    counter.take(inference(2), answered(false, 0.001, false, 20));
    counter.take(inference(3), answered(false, 0.5, false, 30));
    counter.take(inference(4), answered(false, 0.25, true, 40));
    counter.take(inference(5), Compared::Failed("it wants another shape".to_owned()));
    counter.take(inference(6), Compared::Skipped("its data was erased".to_owned()));
    let report = counter.report();
    let counts = (report.cases, report.same, report.near, report.different, report.failed, report.skipped);
    assert_eq!(counts, (6, 1, 1, 2, 1, 1));
    assert_eq!((report.class_changed, report.worst), (1, Some(0.5)));
    assert_eq!(report.recorded, Latencies { p50_us: Some(20), p95_us: Some(40) });
    assert_eq!(report.candidate, Latencies { p50_us: Some(40), p95_us: Some(80) });
    let told: Vec<_> = report.told.iter().map(|case| (case.inference.0.as_u128(), case.verdict)).collect();
    let expected = [
        (5, BacktestVerdict::Failed),
        (4, BacktestVerdict::Different),
        (3, BacktestVerdict::Different),
        (2, BacktestVerdict::Near),
        (6, BacktestVerdict::Skipped),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.told[0].reason.as_deref(), Some("it wants another shape"));
}

#[test]
fn a_report_is_bounded_however_many_cases_there_are() {
    let mut counter = BacktestCounter::new(0);
    for number in 0..500 {
        counter.take(inference(number), answered(false, (number + 1) as f64 / 1_000.0, false, 1));
    }
    let report = counter.report();
    assert_eq!((report.different, report.told.len()), (500, CASES_TOLD_MAX));
    assert_eq!(report.told[0].inference, inference(499), "the worst one");
}
