// A laser scanner turns in a street, and a grid of the street is made of what it sees: where the ground is, and what
// stands on it.

struct Turn {
    scanner: vec3<f32>, // metres; z is up
    rays: u32,          // of a turn, 64 of them at each of its angles
    first: u32,         // the place of the turn's first point among all
    seed: u32,
}

// Something that stands in the street.
struct Thing {
    centre: vec3<f32>,
    shape: u32, // a box, an upright cylinder, or an ellipsoid
    half: vec3<f32>,
    turned: f32,
}

struct Point {
    place: vec3<f32>,
    label: u32, // nothing hit, the ground, or a thing by its number
}

const NOTHING = 0u;
const GROUND = 1u;
const FARTHEST = 80.0;

@group(0) @binding(0) var<uniform> turn: Turn;
@group(0) @binding(1) var<storage, read> things: array<Thing>;
@group(0) @binding(2) var<storage, read_write> points: array<Point>;

// A rolling road with a raised pavement on either side.
fn ground(at: vec2<f32>) -> f32 {
    let road = 0.5 * sin(0.06 * at.x) - 0.015 * min(abs(at.y), 5.0);
    return road + select(0.0, 0.12, abs(at.y) > 5.5);
}

fn to_ground(direction: vec3<f32>) -> f32 {
    var near = 0.0;
    var far = 0.0;
    for (var step = 0; step < 48; step++) {
        far = near + 0.5 + 0.05 * near;
        let there = turn.scanner + far * direction;
        if there.z < ground(there.xy) {
            break;
        }
        near = far;
    }
    for (var halving = 0; halving < 12; halving++) {
        let middle = 0.5 * (near + far);
        let there = turn.scanner + middle * direction;
        if there.z < ground(there.xy) {
            far = middle;
        } else {
            near = middle;
        }
    }
    return far;
}

// The distance to a thing, or one too far.
fn to_thing(thing: Thing, direction: vec3<f32>) -> f32 {
    // In the thing's own axes, with halves of one.
    let across = vec2(cos(thing.turned), sin(thing.turned));
    let away = turn.scanner - thing.centre;
    let from_it = vec3(dot(away.xy, across), dot(away.xy, vec2(-across.y, across.x)), away.z) / thing.half;
    let along = vec3(dot(direction.xy, across), dot(direction.xy, vec2(-across.y, across.x)), direction.z) / thing.half;
    let inverse = select(1.0 / along, vec3(1e9), abs(along) < vec3(1e-9));
    let sides = abs(inverse);
    let middle = -from_it * inverse;
    var enter = middle - sides;
    var leave = middle + sides;
    if thing.shape > 0u {
        // Round: in the plane, or all about.
        let round = select(vec3(1.0, 1.0, 0.0), vec3(1.0), thing.shape == 2u);
        let a = dot(along * round, along);
        let b = dot(along * round, from_it);
        let c = dot(from_it * round, from_it) - 1.0;
        let root = b * b - a * c;
        if root < 0.0 {
            return 2.0 * FARTHEST;
        }
        let spread = sqrt(root);
        enter = vec3((-b - spread) / a, select(enter.z, -1e9, thing.shape == 2u), -1e9);
        leave = vec3((-b + spread) / a, select(leave.z, 1e9, thing.shape == 2u), 1e9);
    }
    let first = max(max(enter.x, enter.y), enter.z);
    let last = min(min(leave.x, leave.y), leave.z);
    return select(2.0 * FARTHEST, first, first > 0.5 && first < last);
}

// About normal, with a variance of one.
fn noise(at: u32) -> f32 {
    var sum = 0.0;
    var state = at * 747796405u + turn.seed;
    for (var k = 0; k < 4; k++) {
        state = state * 747796405u + 2891336453u;
        let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
        sum += f32((word >> 22u) ^ word) / 4294967296.0 - 0.5;
    }
    return sum * sqrt(3.0);
}

@compute @workgroup_size(64)
fn scan(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = turn.first + id.x;
    if id.x >= turn.rays || at >= arrayLength(&points) {
        return;
    }
    let azimuth = 6.2831853 * f32(id.x / 64u) / f32(turn.rays / 64u);
    let height = radians(mix(-24.8, 2.0, f32(id.x % 64u) / 63.0));
    let direction = vec3(cos(azimuth) * cos(height), sin(azimuth) * cos(height), sin(height));
    var nearest = to_ground(direction);
    var label = GROUND;
    for (var number = 0u; number < arrayLength(&things); number++) {
        let distance = to_thing(things[number], direction);
        if distance < nearest {
            nearest = distance;
            label = number + 2u;
        }
    }
    if nearest > FARTHEST {
        points[at] = Point(vec3(0.0), NOTHING);
        return;
    }
    points[at] = Point(turn.scanner + (nearest + 0.02 * noise(at)) * direction, label);
}

struct Grid {
    side: u32, // cells of a quarter of a metre each way
    first: u32,
    points: u32,
}

const EMPTY = 0x7fffffff;

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> seen: array<Point>;
@group(0) @binding(2) var<storage, read_write> lowest: array<atomic<i32>>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;

// Numbers in the order of what they stand for, and back.
fn ordered(value: f32) -> i32 {
    let bits = bitcast<i32>(value);
    return select(bits, bits ^ 0x7fffffff, bits < 0);
}

fn number(ordered: i32) -> f32 {
    return bitcast<f32>(select(ordered, ordered ^ 0x7fffffff, ordered < 0));
}

// The cell of a point, or as many as there are if it is in none.
fn cell_of(point: Point) -> u32 {
    let at = vec2<i32>(floor(point.place.xy * 4.0)) + i32(grid.side / 2u);
    let inside = all(at >= vec2(0)) && all(at < vec2(i32(grid.side))) && point.label != NOTHING;
    return select(grid.side * grid.side, u32(at.y) * grid.side + u32(at.x), inside);
}

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = grid.first + id.x;
    if id.x >= grid.points || at >= arrayLength(&seen) {
        return;
    }
    let cell = cell_of(seen[at]);
    if cell < grid.side * grid.side {
        atomicMin(&lowest[cell], ordered(seen[at].place.z));
        atomicAdd(&counts[cell], 1u);
    }
}

// What is narrower than twice the reach goes, and slopes stay: the least around, and of that the most around.
const REACH = 7;

@group(0) @binding(1) var<storage, read> before: array<i32>;
@group(0) @binding(2) var<storage, read_write> after: array<i32>;

fn extreme(id: vec2<u32>, sign: i32) {
    let side = i32(grid.side);
    let here = vec2<i32>(id);
    if any(here >= vec2(side)) {
        return;
    }
    var most = EMPTY;
    for (var dy = -REACH; dy <= REACH; dy++) {
        for (var dx = -REACH; dx <= REACH; dx++) {
            let there = clamp(here + vec2(dx, dy), vec2(0), vec2(side - 1));
            let value = before[there.y * side + there.x];
            if value != EMPTY && (most == EMPTY || (value < most) == (sign < 0)) {
                most = value;
            }
        }
    }
    after[here.y * side + here.x] = most;
}

@compute @workgroup_size(16, 16)
fn erode(@builtin(global_invocation_id) id: vec3<u32>) {
    extreme(id.xy, -1);
}

@compute @workgroup_size(16, 16)
fn dilate(@builtin(global_invocation_id) id: vec3<u32>) {
    extreme(id.xy, 1);
}

const STEP = 0.2; // metres above the ground that are still ground
const HEADROOM = 2.5; // what is above is in nobody's way

@group(0) @binding(2) var<storage, read> level: array<i32>;
@group(0) @binding(3) var<storage, read_write> heights: array<atomic<i32>>; // of what stands in the way
// For each label the points taken for ground, and those taken for things.
@group(0) @binding(4) var<storage, read_write> tally: array<atomic<u32>>;

@compute @workgroup_size(64)
fn classify(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&seen) {
        return;
    }
    let cell = cell_of(seen[id.x]);
    if cell >= grid.side * grid.side {
        return;
    }
    let above = seen[id.x].place.z - number(level[cell]);
    let is_thing = level[cell] == EMPTY || above > STEP;
    atomicAdd(&tally[2u * seen[id.x].label + u32(is_thing)], 1u);
    if is_thing && above < HEADROOM {
        atomicMax(&heights[cell], ordered(above));
    }
}
