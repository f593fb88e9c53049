use super::*;

#[test]
fn a_burst_and_then_a_fifth_of_the_requests() {
    let mut budget = Budget::default();
    let burst = (0..1_000).filter(|_| budget.withdraw()).count();
    assert_eq!(burst, limits::RETRY_BUDGET_BURST as usize);
    let mut retries = 0;
    for _ in 0..1_000 {
        budget.deposit();
        retries += u32::from(budget.withdraw());
    }
    assert_eq!(retries, 1_000 * limits::RETRY_BUDGET_PERCENT / PERCENT);
}

#[test]
fn quiet_times_do_not_save_up_more_than_a_burst() {
    let mut budget = Budget::default();
    (0..10_000).for_each(|_| budget.deposit());
    let burst = (0..1_000).filter(|_| budget.withdraw()).count();
    assert_eq!(burst, limits::RETRY_BUDGET_BURST as usize);
}
