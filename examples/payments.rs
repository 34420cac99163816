//! Millions of payments settled at once: integer sums with atomics that come out the same in whatever order.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Example, Outcome};

const WINDOWS: usize = 16;
/// Payments for each account.
const EACH: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Payment {
    payer: u32,
    payee: u32,
    amount: u32,
    window: u32,
}

fn main() -> Outcome {
    let about = "Machines pay machines: as many payments as all can afford are settled at once, and no balance falls below zero.";
    let example = Example::new("payments", about)
        .size(
            1 << 21,
            EACH..=1 << 26,
            "payments of a batch; there is an account for each 64",
        )
        .steps(4, "batches")
        .seed(1);
    let mut show = example.open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let accounts = size / EACH;
    let wgsl = Kernel::from_wgsl(include_str!("../shaders/payments.wgsl"))?;
    let kernel = |entry: &str| wgsl.clone().entry(entry);
    let (demand, net) = (kernel("demand")?, kernel("net")?);
    let (afford, settle) = (kernel("afford")?, kernel("settle")?);

    let mut random = fastrand::Rng::with_seed(show.options.seed);
    // Half of the accounts are empty.
    let start = |_| random.u32(0..40_000).saturating_sub(20_000);
    let mut expected: Vec<u32> = (0..accounts).map(start).collect();
    let money = |balances: &[u32]| balances.iter().map(|&units| u64::from(units)).sum::<u64>();
    let total = money(&expected);
    let balances = runtime.buffer_from(&expected)?;
    let payments = runtime.buffer_from(&vec![Payment::zeroed(); size])?;
    let limits = runtime.buffer::<u32>(accounts)?;
    let incoming = runtime.buffer::<u32>(accounts)?;
    let outgoing = runtime.buffer::<u32>(accounts * WINDOWS)?;
    let lowered = runtime.buffer::<u32>(1)?;
    let (mut settled, mut rounds) = (0, 0);

    for batch in show.steps() {
        let mut draw = |_| Payment {
            payer: random.u32(0..accounts as u32),
            payee: random.u32(0..accounts as u32),
            amount: random.u32(1..1000),
            window: random.u32(0..WINDOWS as u32),
        };
        let list: Vec<_> = (0..size).map(&mut draw).collect();
        runtime.write(&payments, &list)?;
        runtime.write(&outgoing, &vec![0; accounts * WINDOWS])?;
        runtime.write(&limits, &vec![WINDOWS as u32; accounts])?;
        let netting = || {
            let dispatch = runtime.dispatch(&net, size).bind("payments", &payments);
            dispatch.bind("limits", &limits).bind("incoming", &incoming)
        };
        let deciding = |kernel| {
            let dispatch = runtime.dispatch(kernel, accounts).bind("asked", &outgoing);
            let dispatch = dispatch.bind("received", &incoming).bind("limit", &limits);
            dispatch.bind("balances", &balances)
        };
        let summing = runtime.dispatch(&demand, size).bind("payments", &payments);
        show.submit(summing.bind("outgoing", &outgoing))?;
        let mut before = None;
        loop {
            show.submit(netting())?;
            show.submit(deciding(&afford).bind("lowered", &lowered))?;
            rounds += 1;
            let now = runtime.read(&lowered)?;
            if before.replace(now.clone()) == Some(now) {
                break;
            }
        }
        show.submit(netting())?;
        show.submit(deciding(&settle))?;
        show.wait()?;

        let found = runtime.read(&limits)?;
        let is_made = |limits: &[u32], one: &Payment| one.window < limits[one.payer as usize];
        let made = list.iter().filter(|one| is_made(&found, one)).count();
        show.say(format_args!(
            "batch {batch}: {made} of {size} payments are settled, {} accounts pay all of theirs",
            found
                .iter()
                .filter(|&&limit| limit as usize == WINDOWS)
                .count()
        ));
        settled += made;
        let reference = one_after_another(&list, &mut expected);
        let name = |rule: &str| format!("batch {batch}: {rule}");
        let after = runtime.read(&balances)?;
        show.check(
            &name("limits are those found one account after another"),
            found == reference,
        );
        show.check(
            &name("and so are balances, and none is below zero"),
            after == expected,
        );
        show.check(&name("no money came or went"), money(&after) == total);
    }
    show.number("payments settled", settled);
    show.number("rounds", rounds);
    show.end()
}

/// The limits, and the balances after, by looking at one account at a time until all can afford theirs.
fn one_after_another(list: &[Payment], balances: &mut [u32]) -> Vec<u32> {
    let accounts = balances.len();
    let mut limits = vec![WINDOWS; accounts];
    let mut funds: Vec<i64> = balances.iter().map(|&units| i64::from(units)).collect();
    let mut own = vec![Vec::new(); accounts * WINDOWS];
    for payment in list {
        own[payment.payer as usize * WINDOWS + payment.window as usize].push(payment);
        funds[payment.payee as usize] += i64::from(payment.amount);
        funds[payment.payer as usize] -= i64::from(payment.amount);
    }
    // The windows come off from the last, so an account in debt gives up one at a time.
    let mut in_debt: Vec<usize> = (0..accounts).filter(|&one| funds[one] < 0).collect();
    while let Some(one) = in_debt.pop() {
        while funds[one] < 0 {
            limits[one] -= 1;
            for payment in &own[one * WINDOWS + limits[one]] {
                let payee = payment.payee as usize;
                funds[one] += i64::from(payment.amount);
                funds[payee] -= i64::from(payment.amount);
                if payee != one {
                    in_debt.push(payee);
                }
            }
        }
    }
    for (balance, funds) in balances.iter_mut().zip(funds) {
        *balance = u32::try_from(funds).expect("nobody is in debt");
    }
    limits.iter().map(|&limit| limit as u32).collect()
}
