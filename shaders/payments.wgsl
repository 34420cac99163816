// Settles payments between accounts at once: netting, with no balance below zero at the end.
//
// Each account's payments are in time windows, and it makes those of the windows before its limit. All limits begin at the
// last window. Where an account couldn't pay even with all that it would get, its limit falls, whoever it would have
// paid gets less, and their limits may fall in turn. What is left is the largest set of payments that all can afford,
// in whatever order it is found.

struct Payment {
    payer: u32,
    payee: u32,
    amount: u32,
    window: u32,
}

const WINDOWS = 16u;

@group(0) @binding(0) var<storage, read> payments: array<Payment>;
@group(0) @binding(1) var<storage, read> limits: array<u32>;
@group(0) @binding(2) var<storage, read_write> incoming: array<atomic<u32>>;
// What each account is to pay in each of its windows.
@group(0) @binding(3) var<storage, read_write> outgoing: array<atomic<u32>>;

@compute @workgroup_size(256)
fn demand(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&payments) {
        let payment = payments[id.x];
        atomicAdd(&outgoing[payment.payer * WINDOWS + payment.window], payment.amount);
    }
}

@compute @workgroup_size(256)
fn net(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&payments) {
        let payment = payments[id.x];
        if payment.window < limits[payment.payer] {
            atomicAdd(&incoming[payment.payee], payment.amount);
        }
    }
}

@group(0) @binding(0) var<storage, read> asked: array<u32>; // `outgoing`, to be read
@group(0) @binding(1) var<storage, read_write> received: array<u32>; // `incoming`
@group(0) @binding(2) var<storage, read_write> limit: array<u32>;
@group(0) @binding(3) var<storage, read_write> balances: array<u32>;
@group(0) @binding(4) var<storage, read_write> lowered: array<atomic<u32>>; // how many limits fell

@compute @workgroup_size(256)
fn afford(@builtin(global_invocation_id) id: vec3<u32>) {
    let account = id.x;
    if account >= arrayLength(&limit) || account >= arrayLength(&balances) || account >= arrayLength(&received) {
        return;
    }
    let funds = balances[account] + received[account];
    received[account] = 0u;
    let old = limit[account];
    var paid = 0u;
    var window = 0u;
    while window < min(old, WINDOWS) {
        paid += asked[account * WINDOWS + window];
        if paid > funds {
            break;
        }
        window += 1u;
    }
    if window < old {
        limit[account] = window;
        atomicAdd(&lowered[0], 1u);
    }
}

@compute @workgroup_size(256)
fn settle(@builtin(global_invocation_id) id: vec3<u32>) {
    let account = id.x;
    if account >= arrayLength(&limit) || account >= arrayLength(&balances) || account >= arrayLength(&received) {
        return;
    }
    var balance = balances[account] + received[account];
    for (var window = 0u; window < min(limit[account], WINDOWS); window++) {
        balance -= asked[account * WINDOWS + window];
    }
    balances[account] = balance;
    received[account] = 0u;
}
