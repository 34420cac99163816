// A kernel with a bit of everything, for mutants.

struct Part { a: i32, b: vec3<f32>, c: array<u32, 3> }
struct Head { scale: f32, turns: u32, bias: vec2<i32>, m: mat3x3<f32> }

@group(0) @binding(0) var<uniform> head: Head;
@group(0) @binding(1) var<storage, read> parts: array<Part>;
@group(0) @binding(2) var<storage, read_write> next: array<Part>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>, 5>;
@group(0) @binding(4) var<storage, read_write> words: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> wide: array<atomic<i64>>;

var<workgroup> tile: array<vec2<f32>, 24>;
var<workgroup> votes: atomic<i32>;
var<workgroup> most: array<atomic<u64>, 3>;
var<private> calls: u32 = 1u;

const LIMIT: i32 = 9;
override STEP: u32 = 2u;

fn swap(a: ptr<function, i32>, b: ptr<function, i32>) -> bool {
    calls += 1u;
    if *a <= *b {
        return false;
    }
    let c = *a;
    *a = *b;
    *b = c;
    return true;
}

fn mixed(v: vec3<f32>, list: ptr<function, array<i32, 6>>) -> vec3<f32> {
    var sum = vec3<f32>(0.0, 1.0, 2.0);
    for (var i = 0u; i < 6u; i += STEP) {
        switch (*list)[i] & 3 {
            case 0: { continue; }
            case 1, 2: { sum.x += f32((*list)[i]); }
            default: { if sum.y > 100.0 { return sum; } sum[i % 3u] *= v.z; }
        }
        sum = fma(sum, v.yzx, vec3(0.5));
    }
    return clamp(sum, vec3(-50.0), vec3(50.0));
}

@compute @workgroup_size(8, 3)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32,
        @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * 8u + id.x;
    var part = parts[at % arrayLength(&parts)];
    var list: array<i32, 6>;
    for (var i = 0; i < 6; i++) {
        list[i] = (part.a >> u32(i)) % LIMIT - head.bias.y;
    }
    tile[local] = vec2(part.b.x, f32(part.c[local % 3u] & 255u));
    workgroupBarrier();
    let other = tile[23u - local];
    var turn = 0u;
    loop {
        if turn >= head.turns % 7u || !swap(&list[0], &list[5]) {
            break;
        }
        let place = i32(turn) + list[1] / max(list[2], 1);
        list[place] = abs(list[u32(place) % 6u]) + 1;
        continuing {
            turn += 1u;
            break if turn > 5u;
        }
    }
    while part.a != 0 && calls < 20u {
        part.a = select(part.a / 3, part.a + 1, part.a < 0);
        calls++;
    }
    let moved = head.m * mixed(part.b * head.scale, &list);
    part.b = normalize(moved + vec3(other, 1.0)) + sqrt(abs(moved)) * sin(part.b.z);
    part.c[turn % 3u] = pack4x8unorm(vec4(part.b, 0.5)) ^ extractBits(part.c[0], 3u, 7u);
    let before = atomicAdd(&counts[u32(list[3]) % 5u], turn);
    atomicMax(&votes, list[4]);
    atomicMax(&most[turn % 3u], u64(at) << 33u);
    let was = atomicExchange(&wide[turn], i64(list[1]));
    if atomicCompareExchangeWeak(&wide[list[3]], was, atomicLoad(&wide[at])).exchanged {
        atomicStore(&wide[local], i64(atomicSub(&most[list[2]], 7lu)));
    }
    workgroupBarrier();
    if at < arrayLength(&next) {
        next[at] = part;
        next[at].c[1] += before;
        words[at] = vec2(countOneBits(part.c[2]), bitcast<u32>(atomicLoad(&votes)));
        if any(part.b > vec3(1.0)) {
            words[at].y <<= calls;
        } else if part.b.x < 0.0 {
            return;
        }
        words[at] = words[at].yx;
    }
}
