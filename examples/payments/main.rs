//! Millions of payments settled at once: integer sums with atomics that come out the same in whatever order.

mod reference;
#[path = "../show/mod.rs"]
mod show;

use bytemuck::Zeroable;
use divvy::Kernel;
use reference::{Payment, WINDOWS, one_after_another};
use show::{Example, Outcome};

/// Payments for each account.
const EACH: usize = 64;

fn main() -> Outcome {
    let about = "Machines pay machines: as many payments as all can afford are settled at once, and no balance falls below zero.";
    let sizes = EACH..=1 << 26;
    let mut show = Example::new("payments", about)
        .size(1 << 21, sizes, "payments of a batch, 64 for each account")
        .steps(4, "batches")
        .seed(1)
        .open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let accounts = size / EACH;
    let wgsl = Kernel::from_wgsl(include_str!("../../shaders/payments.wgsl"))?;
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
        // Round by round, until no account has to lower its limit.
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

        let (found, after) = (runtime.read(&limits)?, runtime.read(&balances)?);
        let is_made = |one: &&Payment| one.window < found[one.payer as usize];
        let made = list.iter().filter(is_made).count();
        let pays_all = |limit: &&u32| **limit as usize == WINDOWS;
        let able = found.iter().filter(pays_all).count();
        show.say(format_args!(
            "batch {batch}: {made} of {size} payments are settled, {able} accounts pay all of theirs"
        ));
        settled += made;
        let reference = one_after_another(&list, &mut expected);
        let name = |rule: &str| format!("batch {batch}: {rule}");
        let rule = name("limits are those found one account after another");
        show.check(&rule, found == reference);
        let rule = name("and so are balances, and none is below zero");
        show.check(&rule, after == expected);
        show.check(&name("no money came or went"), money(&after) == total);
    }
    show.number("payments settled", settled);
    show.number("rounds", rounds);
    show.end()
}
