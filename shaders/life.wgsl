// One generation of Conway's Game of Life on a torus.
//
// A cell that is alive counts the generations it has lived, and one that is dead those since it died, as a negative number;
// zero has never lived.

struct Board {
    width: u32,
    height: u32,
}

@group(0) @binding(0) var<uniform> board: Board;
@group(0) @binding(1) var<storage, read> old: array<i32>;
@group(0) @binding(2) var<storage, read_write> next: array<i32>;

const LONGEST = 1000;

fn alive(cell: i32) -> u32 {
    return u32(cell > 0);
}

@compute @workgroup_size(64, 4)
fn live(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= board.width || id.y >= board.height {
        return;
    }
    let left = (id.x + board.width - 1u) % board.width;
    let right = (id.x + 1u) % board.width;
    let above = (id.y + board.height - 1u) % board.height * board.width;
    let here = id.y * board.width;
    let below = (id.y + 1u) % board.height * board.width;

    let neighbours = alive(old[above + left]) + alive(old[above + id.x]) + alive(old[above + right])
        + alive(old[here + left]) + alive(old[here + right])
        + alive(old[below + left]) + alive(old[below + id.x]) + alive(old[below + right]);
    let cell = old[here + id.x];
    if neighbours == 3u || (neighbours == 2u && cell > 0) {
        next[here + id.x] = min(max(cell, 0) + 1, LONGEST);
    } else if cell == 0 {
        next[here + id.x] = 0;
    } else {
        next[here + id.x] = max(min(cell, 0) - 1, -LONGEST);
    }
}
