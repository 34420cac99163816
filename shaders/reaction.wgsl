// One step of two substances that react while they spread over a torus (Gray and Scott 1984, Pearson 1993): v makes more of
// itself out of u, u is fed, v decays.

override FEED: f32;  // how fast u is fed on average
override RANGE: f32; // how much faster at the left and right edge than half-way between them
override DECAY: f32;

// Columns and rows.
@group(0) @binding(0) var<uniform> dish: vec2<u32>;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> u_next: array<f32>;
@group(0) @binding(4) var<storage, read_write> v_next: array<f32>;

@compute @workgroup_size(64, 4)
fn react(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= dish.x || id.y >= dish.y {
        return;
    }
    let left = (id.x + dish.x - 1u) % dish.x;
    let right = (id.x + 1u) % dish.x;
    let above = (id.y + dish.y - 1u) % dish.y * dish.x;
    let here = id.y * dish.x;
    let below = (id.y + 1u) % dish.y * dish.x;

    let a = u[here + id.x];
    let b = v[here + id.x];
    let beside_u = u[here + left] + u[here + right] + u[above + id.x] + u[below + id.x];
    let beside_v = v[here + left] + v[here + right] + v[above + id.x] + v[below + id.x];
    let across_u = u[above + left] + u[above + right] + u[below + left] + u[below + right];
    let across_v = v[above + left] + v[above + right] + v[below + left] + v[below + right];

    // Twice as much goes to each neighbour of a side as to one of a corner, a fifth and a twentieth of what spreads.
    let spread_u = 0.2 * beside_u + 0.05 * across_u - a;
    let spread_v = 0.2 * beside_v + 0.05 * across_v - b;
    let middle = 0.5 * f32(dish.x);
    let feed = FEED + RANGE * (abs(f32(id.x) - middle) / middle - 0.5);
    let reacts = a * b * b;
    u_next[here + id.x] = a + spread_u - reacts + feed * (1.0 - a);
    v_next[here + id.x] = b + 0.5 * spread_v + reacts - (feed + DECAY) * b;
}
