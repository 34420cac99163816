// Shallow water between two latitudes of a rotating sphere: a stage of a Runge-Kutta step, and a look at it.
//
// Heights stand in the middle of cells, u on their western and v on their southern sides (the C grid of Arakawa and Lamb).
// Heights change by what flows through the sides, so that no water is lost; velocities by the vector-invariant equations,
// with potential vorticity averaged so that its square is kept (Sadourny 1975). A row keeps its heights, less the mean depth,
// its u and its v one behind the other. Nothing flows through the southern and the northern wall.

struct World {
    width: u32,
    height: u32,
    depth: f32,     // metres, on average
    step: f32,      // seconds of this stage
    east: f32,      // metres from cell to cell, at the equator and along a meridian
    north: f32,
    viscosity: f32, // square metres a second
    south: f32,     // latitude of the southern wall, and radians from row to row
    across: f32,
    side: u32,      // of the picture, in pixels
}

// Of a row of cells: the cosine of the latitude in their middle and at their sides, and the Coriolis parameter at the sides.
struct Latitude {
    cosine: f32,
    cosine_south: f32,
    cosine_north: f32,
    coriolis_south: f32,
    coriolis_north: f32,
}

@group(0) @binding(0) var<uniform> world: World;
@group(0) @binding(1) var<storage, read> latitudes: array<Latitude>;
// The state whose tendency is taken, the one that it is added to, and the one that comes of it.
@group(0) @binding(2) var<storage, read> now: array<f32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<f32>;
@group(0) @binding(5) var<storage, read_write> seen: array<f32>;

const GRAVITY = 9.80616;

@compute @workgroup_size(64, 4)
fn stage(@builtin(global_invocation_id) id: vec3<u32>) {
    let width = world.width;
    if id.x >= width || id.y >= world.height {
        return;
    }
    // Columns west and east of this one, and where the rows of heights begin; u and v lie one and two widths further.
    let c = id.x;
    let w = (id.x + width - 1u) % width;
    let e = (id.x + 1u) % width;
    let is_first = id.y == 0u;
    let is_last = id.y == world.height - 1u;
    let south = (max(id.y, 1u) - 1u) * 3u * width;
    let here = id.y * 3u * width;
    let north = min(id.y + 1u, world.height - 1u) * 3u * width;
    let row = latitudes[id.y];
    let row_south = latitudes[max(id.y, 1u) - 1u];
    let row_north = latitudes[min(id.y + 1u, world.height - 1u)];

    let h_c = world.depth + now[here + c];
    let h_w = world.depth + now[here + w];
    let h_e = world.depth + now[here + e];
    let h_s = world.depth + now[south + c];
    let h_sw = world.depth + now[south + w];
    let h_se = world.depth + now[south + e];
    let h_n = world.depth + now[north + c];
    let h_nw = world.depth + now[north + w];

    let u_c = now[here + width + c];
    let u_w = now[here + width + w];
    let u_e = now[here + width + e];
    let u_s = now[south + width + c];
    let u_se = now[south + width + e];
    let u_n = now[north + width + c];

    let v_c = now[here + 2u * width + c];
    let v_w = now[here + 2u * width + w];
    let v_e = now[here + 2u * width + e];
    let v_s = select(now[south + 2u * width + c], 0.0, is_first);
    let open = select(1.0, 0.0, is_last);
    let v_n = open * now[north + 2u * width + c];
    let v_nw = open * now[north + 2u * width + w];

    // What flows through the sides of this cell and of its neighbours, for each metre of side.
    let flow_c = 0.5 * (h_c + h_w) * u_c;
    let flow_e = 0.5 * (h_e + h_c) * u_e;
    let flow_s = 0.5 * (h_s + h_sw) * u_s;
    let flow_se = 0.5 * (h_se + h_s) * u_se;
    let rise_c = 0.5 * (h_c + h_s) * v_c;
    let rise_w = 0.5 * (h_w + h_sw) * v_w;
    let rise_n = 0.5 * (h_n + h_c) * v_n;
    let rise_nw = 0.5 * (h_nw + h_w) * v_nw;
    let inflow = (flow_c - flow_e) / (row.cosine * world.east)
        + (row.cosine_south * rise_c - open * row.cosine_north * rise_n) / (row.cosine * world.north);

    // Potential vorticity in the south-west, the north-west and the south-east corner of the cell. At the walls the water
    // doesn't turn against them.
    let turn_south = (row.cosine * u_c - row_south.cosine * u_s) / world.north;
    let turn_south_east = (row.cosine * u_e - row_south.cosine * u_se) / world.north;
    let turn_north = open * (row_north.cosine * u_n - row.cosine * u_c) / world.north;
    let beside = 1.0 / world.east;
    let q_sw = (row.coriolis_south + ((v_c - v_w) * beside - turn_south) / row.cosine_south)
        / (0.25 * (h_c + h_w + h_s + h_sw));
    let q_se = (row.coriolis_south + ((v_e - v_c) * beside - turn_south_east) / row.cosine_south)
        / (0.25 * (h_c + h_e + h_s + h_se));
    let q_nw = (row.coriolis_north + ((v_n - v_nw) * beside - turn_north) / row.cosine_north)
        / (0.25 * (h_c + h_w + h_n + h_nw));

    // Energy of a kilogram, in the cell and in those in the west and in the south.
    let energy_c = 0.25 * (u_c * u_c + u_e * u_e + v_c * v_c + v_n * v_n) + GRAVITY * (h_c - world.depth);
    let energy_w = 0.25 * (u_w * u_w + u_c * u_c + v_w * v_w + v_nw * v_nw) + GRAVITY * (h_w - world.depth);
    let energy_s = 0.25 * (u_s * u_s + u_se * u_se + v_s * v_s + v_c * v_c) + GRAVITY * (h_s - world.depth);

    let around_u = (u_e - 2.0 * u_c + u_w) / (row.cosine * row.cosine * world.east * world.east)
        + (u_n - 2.0 * u_c + u_s) / (world.north * world.north);
    let around_v = (v_e - 2.0 * v_c + v_w) / (row.cosine_south * row.cosine_south * world.east * world.east)
        + (v_n - 2.0 * v_c + v_s) / (world.north * world.north);
    let push_u = 0.5 * (q_sw + q_nw) * 0.25 * (rise_c + rise_w + rise_n + rise_nw)
        + (energy_w - energy_c) / (row.cosine * world.east) + world.viscosity * around_u;
    let push_v = -0.5 * (q_sw + q_se) * 0.25 * (flow_c + flow_e + flow_s + flow_se)
        + (energy_s - energy_c) / world.north + world.viscosity * around_v;

    next[here + c] = base[here + c] + world.step * inflow;
    next[here + width + c] = base[here + width + c] + world.step * push_u;
    next[here + 2u * width + c] = select(base[here + 2u * width + c] + world.step * push_v, 0.0, is_first);
}

// Vorticity in the south-western corner of a cell.
fn vorticity(row: u32, column: u32) -> f32 {
    let here = row * 3u * world.width;
    let south = here - 3u * world.width;
    let v = here + 2u * world.width;
    let east = (now[v + column] - now[v + (column + world.width - 1u) % world.width]) / world.east;
    let u = world.width + column;
    let north = latitudes[row].cosine * now[here + u] - latitudes[row - 1u].cosine * now[south + u];
    return (east - north / world.north) / latitudes[row].cosine_south;
}

// Vorticity as it's seen from far above the pole, where a latitude is a circle as wide as its cosine.
@compute @workgroup_size(64, 4)
fn look(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= world.side || id.y >= world.side {
        return;
    }
    let place = (vec2<f32>(vec2<u32>(id.x, id.y)) + 0.5) / (0.5 * f32(world.side)) - 1.0;
    let row = (acos(min(length(place), 1.0)) - world.south) / world.across;
    let around = (atan2(place.y, place.x) / 6.2831853 + 0.5) * f32(world.width);
    var turn = 0.0;
    if row >= 1.0 && row < f32(world.height - 1u) {
        let south = u32(row);
        let west = min(u32(around), world.width - 1u);
        let east = (west + 1u) % world.width;
        turn = mix(mix(vorticity(south, west), vorticity(south, east), fract(around)),
            mix(vorticity(south + 1u, west), vorticity(south + 1u, east), fract(around)), fract(row));
    }
    seen[id.y * world.side + id.x] = turn;
}
