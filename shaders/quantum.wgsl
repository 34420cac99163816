// The gates of a quantum computer, on the amplitudes of all states of its qubits. State `i` has qubit `q` set if `i` has
// bit `q` set.

struct Gate {
    place: u32,  // the bit of the qubit
    control: u32, // the bit of the one that decides, where there is one
    turn: vec2<f32>,
}

@group(0) @binding(0) var<uniform> gate: Gate;
@group(0) @binding(1) var<storage, read> old: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> next: array<vec2<f32>>;

fn product(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// Mixes each pair of states that differ in the qubit. It writes to another buffer, so that each state is one
// invocation's and any part of the states can be one device's, however far apart the two of a pair are.
@compute @workgroup_size(256)
fn hadamard(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&old) || i >= arrayLength(&next) {
        return;
    }
    let here = old[i];
    let there = old[i ^ gate.place];
    next[i] = sqrt(0.5) * select(there + here, there - here, (i & gate.place) != 0u);
}

// Puts each bit of a state's number in the place of its mirror image: swaps of pairs of qubits, all at once.
@compute @workgroup_size(256)
fn mirror(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i < arrayLength(&old) && i < arrayLength(&next) {
        next[i] = old[reverseBits(i) >> gate.place];
    }
}

@group(0) @binding(1) var<storage, read_write> state: array<vec2<f32>>;

// Turns the states that have both qubits.
@compute @workgroup_size(256)
fn turn(@builtin(global_invocation_id) id: vec3<u32>) {
    let both = gate.place | gate.control;
    if id.x < arrayLength(&state) && (id.x & both) == both {
        state[id.x] = product(state[id.x], gate.turn);
    }
}

struct Power {
    base: u32,
    modulus: u32, // below 2^16
    seen: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> power: Power;

// What is left of the states after base^i mod modulus was put into other qubits, and `seen` was measured there.
@compute @workgroup_size(256)
fn observe(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&state) {
        return;
    }
    var result = 1u;
    var factor = power.base;
    for (var exponent = id.x; exponent > 0u; exponent >>= 1u) {
        if (exponent & 1u) == 1u {
            result = result * factor % power.modulus;
        }
        factor = factor * factor % power.modulus;
    }
    state[id.x] *= select(0.0, power.scale, result == power.seen);
}

@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
var<workgroup> parts: array<f32, 256>;

// The probability of each workgroup's states.
@compute @workgroup_size(256)
fn weigh(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    parts[local] = 0.0;
    if id.x < arrayLength(&old) {
        parts[local] = dot(old[id.x], old[id.x]);
    }
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if local < half {
            parts[local] += parts[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u && group.x < arrayLength(&sums) {
        sums[group.x] = parts[0];
    }
}
