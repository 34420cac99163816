// A lattice Boltzmann fluid (D2Q9) in a channel with a cylinder in it.
//
// What is kept of a population is how far it is above its value at rest, after the collision; a row of cells keeps its nine
// populations one behind the other, and cells in the cylinder keep zeros. Equilibria are those of the incompressible model
// (He and Luo 1997), in which the sum of the populations is the density and their first moment is the velocity. Two
// relaxation times (Ginzburg, Verhaeghe and d'Humieres 2008) put the walls half-way between the cells, whatever the
// viscosity.
//
//   6 2 5
//   3 0 1      the directions; rows are counted along 2
//   7 4 8

struct Channel {
    width: u32,
    height: u32,
    cylinder: f32, // its diameter; it stands twice as far from the inlet and from the first row
    speed: f32,    // the mean at the inlet, in cells a step
    even: f32,     // relaxation rates of the even and of the odd parts
    odd: f32,
}

@group(0) @binding(0) var<uniform> channel: Channel;
@group(0) @binding(1) var<storage, read> old: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;
// How much mass came in so far, through the left and through the right end of each row.
@group(0) @binding(3) var<storage, read_write> gained: array<f32>;
@group(0) @binding(4) var<storage, read_write> push: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> turn: array<f32>;

const X = array<i32, 9>(0, 1, 0, -1, 0, 1, -1, -1, 1);
const Y = array<i32, 9>(0, 0, 1, 0, -1, 1, 1, -1, -1);
const OPPOSITE = array<u32, 9>(0, 3, 4, 1, 2, 7, 8, 5, 6);
const WEIGHT = array<f32, 9>(4.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0,
    1.0 / 36.0, 1.0 / 36.0, 1.0 / 36.0, 1.0 / 36.0);

fn is_in_cylinder(x: i32, y: i32) -> bool {
    let apart = vec2<f32>(vec2<i32>(x, y)) + 0.5 - 2.0 * channel.cylinder;
    return dot(apart, apart) < 0.25 * channel.cylinder * channel.cylinder;
}

fn is_near_cylinder(x: u32, y: u32) -> bool {
    let apart = vec2<f32>(vec2<u32>(x, y)) + 0.5 - 2.0 * channel.cylinder;
    let reach = 0.5 * channel.cylinder + 2.0;
    return dot(apart, apart) < reach * reach;
}

// The speed at the inlet: a parabola.
fn inflow(y: u32) -> f32 {
    let across = (f32(y) + 0.5) / f32(channel.height);
    return 6.0 * channel.speed * across * (1.0 - across);
}

@compute @workgroup_size(64, 4)
fn begin(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= channel.width || id.y >= channel.height || is_in_cylinder(i32(id.x), i32(id.y)) {
        return;
    }
    let u = inflow(id.y);
    for (var k = 0u; k < 9u; k++) {
        let along = f32(X[k]) * u;
        next[(id.y * 9u + k) * channel.width + id.x] = WEIGHT[k] * (3.0 * along + 4.5 * along * along - 1.5 * u * u);
    }
}

// The even and the odd part of a pair of opposite populations, relaxed towards their equilibria.
fn relaxed(a: f32, b: f32, weight: f32, along: f32, rest: f32) -> vec2<f32> {
    let even = channel.even * (0.5 * (a + b) - weight * (rest + 4.5 * along * along));
    let odd = channel.odd * (0.5 * (a - b) - weight * 3.0 * along);
    return vec2<f32>(a - even - odd, b - even + odd);
}

@compute @workgroup_size(64, 4)
fn stream_and_collide(@builtin(global_invocation_id) id: vec3<u32>) {
    let width = channel.width;
    let height = channel.height;
    if id.x >= width || id.y >= height {
        return;
    }
    let left = max(id.x, 1u) - 1u;
    let right = min(id.x + 1u, width - 1u);
    let here = id.y * 9u * width;
    let below = (max(id.y, 1u) - 1u) * 9u * width;
    let above = min(id.y + 1u, height - 1u) * 9u * width;

    var f: array<f32, 9>;
    f[0] = old[here + id.x];
    f[1] = old[here + 1u * width + left];
    f[2] = old[below + 2u * width + id.x];
    f[3] = old[here + 3u * width + right];
    f[4] = old[above + 4u * width + id.x];
    f[5] = old[below + 5u * width + left];
    f[6] = old[below + 6u * width + right];
    f[7] = old[above + 7u * width + right];
    f[8] = old[above + 8u * width + left];

    let is_inlet = id.x == 0u;
    let is_outlet = id.x == width - 1u;
    let is_near = is_near_cylinder(id.x, id.y);
    if is_near || is_inlet || is_outlet || id.y == 0u || id.y == height - 1u {
        if is_near && is_in_cylinder(i32(id.x), i32(id.y)) {
            return;
        }
        var mine: array<f32, 9>;
        for (var k = 0u; k < 9u; k++) {
            mine[k] = old[here + k * width + id.x];
        }
        let u = vec2<f32>(mine[1] - mine[3] + mine[5] - mine[6] - mine[7] + mine[8],
            mine[2] - mine[4] + mine[5] + mine[6] - mine[7] - mine[8]);
        var gain = 0.0;
        for (var k = 1u; k < 9u; k++) {
            let x = i32(id.x) - X[k];
            let y = i32(id.y) - Y[k];
            let back = mine[OPPOSITE[k]];
            if x >= i32(width) {
                // The pressure at the outlet is kept: what comes in is the opposite of what went out.
                let along = f32(X[k]) * u.x + f32(Y[k]) * u.y;
                f[k] = WEIGHT[k] * (9.0 * along * along - 3.0 * dot(u, u)) - back;
                gain += f[k] - back;
            } else if x < 0 {
                // The inlet is a wall that moves in, and what it gives back is more by that.
                f[k] = back + 6.0 * WEIGHT[k] * inflow(id.y);
                gain += f[k] - back;
            } else if y < 0 || y >= i32(height) || (is_near && is_in_cylinder(x, y)) {
                f[k] = back;
            }
        }
        if is_inlet {
            gained[2u * id.y] += gain;
        }
        if is_outlet {
            gained[2u * id.y + 1u] += gain;
        }
    }

    let density = f[0] + f[1] + f[2] + f[3] + f[4] + f[5] + f[6] + f[7] + f[8];
    let u = vec2<f32>(f[1] - f[3] + f[5] - f[6] - f[7] + f[8], f[2] - f[4] + f[5] + f[6] - f[7] - f[8]);
    let rest = density - 1.5 * dot(u, u);
    let east = relaxed(f[1], f[3], 1.0 / 9.0, u.x, rest);
    let north = relaxed(f[2], f[4], 1.0 / 9.0, u.y, rest);
    let north_east = relaxed(f[5], f[7], 1.0 / 36.0, u.x + u.y, rest);
    let south_east = relaxed(f[8], f[6], 1.0 / 36.0, u.x - u.y, rest);
    next[here + id.x] = f[0] - channel.even * (f[0] - 4.0 / 9.0 * rest);
    next[here + 1u * width + id.x] = east.x;
    next[here + 2u * width + id.x] = north.x;
    next[here + 3u * width + id.x] = east.y;
    next[here + 4u * width + id.x] = north.y;
    next[here + 5u * width + id.x] = north_east.x;
    next[here + 6u * width + id.x] = south_east.y;
    next[here + 7u * width + id.x] = north_east.y;
    next[here + 8u * width + id.x] = south_east.x;
}

// For each row, the momentum that its populations leave at the cylinder when they are thrown back.
@compute @workgroup_size(64)
fn push_cylinder(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= channel.height {
        return;
    }
    var sum = vec2<f32>(0.0);
    for (var x = 0u; x < channel.width; x++) {
        if is_near_cylinder(x, id.x) && !is_in_cylinder(i32(x), i32(id.x)) {
            for (var k = 1u; k < 9u; k++) {
                if is_in_cylinder(i32(x) + X[k], i32(id.x) + Y[k]) {
                    let out = old[(id.x * 9u + k) * channel.width + x] + WEIGHT[k];
                    sum += 2.0 * out * vec2<f32>(f32(X[k]), f32(Y[k]));
                }
            }
        }
    }
    push[id.x] = sum;
}

// How much the fluid turns, and which way: the difference of velocities across two cells.
@compute @workgroup_size(64, 4)
fn turning(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= channel.width || id.y >= channel.height {
        return;
    }
    let left = max(id.x, 1u) - 1u;
    let right = min(id.x + 1u, channel.width - 1u);
    let below = max(id.y, 1u) - 1u;
    let above = min(id.y + 1u, channel.height - 1u);
    var sum = 0.0;
    for (var k = 1u; k < 9u; k++) {
        let row = (id.y * 9u + k) * channel.width;
        sum += f32(Y[k]) * (old[row + right] - old[row + left]);
        let column = k * channel.width + id.x;
        sum -= f32(X[k]) * (old[above * 9u * channel.width + column] - old[below * 9u * channel.width + column]);
    }
    turn[id.y * channel.width + id.x] = sum;
}
