//! Small kernels, with the access patterns that must be proven of them, or must not.

/// A kernel that reads `x` and writes `y`, with four numbers in `u`.
pub struct Case {
    /// The rule that it is about.
    pub name: &'static str,
    /// The size of its workgroups.
    pub workgroup: &'static str,
    /// The element types of `x` and `y`.
    pub types: [&'static str; 2],
    /// What stands before the entry point.
    pub before: &'static str,
    /// The entry point's body. `id`, `local`, `group`, `groups` and `index` are its builtins.
    pub body: &'static str,
    /// What it is run on, for two numbers of any size.
    pub setup: fn(u64, u64) -> Setup,
    /// The pattern of `x` for 1000 and 48; empty if it isn't bound. `All` may come with a line marked `// read`.
    pub x: &'static str,
    /// The pattern of `y`, or `no`: then the line marked `// here` is named.
    pub y: &'static str,
}

/// What a kernel is run on.
pub struct Setup {
    pub range: [u64; 3],
    /// Elements of `x` and `y`.
    pub x: u64,
    pub y: u64,
    pub u: [u32; 4],
}

impl Case {
    pub fn wgsl(&self) -> String {
        let [x, y] = self.types;
        format!(
            "struct U {{ a: u32, b: u32, c: u32, d: u32 }}
@group(0) @binding(0) var<storage, read> x: array<{x}>;
@group(0) @binding(1) var<storage, read_write> y: array<{y}>;
@group(0) @binding(2) var<uniform> u: U;
{}
@compute @workgroup_size({})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
        @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) index: u32) {{
{}
}}
",
            self.before, self.workgroup, self.body
        )
    }

    /// The line with this mark, from one.
    pub fn marked(&self, mark: &str) -> Option<u32> {
        let wgsl = self.wgsl();
        let place = wgsl.lines().position(|line| line.contains(mark))?;
        Some(place as u32 + 1)
    }
}

/// `n` elements each way, over a range of `n`.
fn line(n: u64, m: u64) -> Setup {
    Setup {
        range: [n, 1, 1],
        x: n,
        y: n,
        u: [n as u32, m as u32, 3, 1],
    }
}

/// A plate of `m` columns, with rows for about `n` elements.
fn plate(n: u64, m: u64) -> Setup {
    let rows = n.div_ceil(m);
    Setup {
        range: [m, rows, 1],
        x: m * rows,
        y: m * rows,
        u: [m as u32, rows as u32, 3, 1],
    }
}

/// Planes of 6 by 5.
fn block(n: u64, _: u64) -> Setup {
    let planes = n.div_ceil(30);
    Setup {
        range: [6, 5, planes],
        x: 30 * planes,
        y: 30 * planes,
        u: [6, 5, planes as u32, 1],
    }
}

/// An element of `y` for each of the workgroups of 64.
fn sums(n: u64, m: u64) -> Setup {
    Setup {
        y: n.div_ceil(64),
        ..line(n, m)
    }
}

/// Some elements of `y` that all share.
fn few(n: u64, m: u64) -> Setup {
    Setup {
        y: 16,
        ..line(n, m)
    }
}

/// A power of two of elements, with the worth of one of the bits of their numbers, and which bit that is.
fn butterfly(n: u64, m: u64) -> Setup {
    let len = n.next_power_of_two();
    let bit = m % u64::from(len.ilog2()).max(1);
    Setup {
        u: [len as u32, 1 << bit, bit as u32, 0],
        ..line(len, m)
    }
}

const fn case(name: &'static str, body: &'static str, x: &'static str, y: &'static str) -> Case {
    Case {
        name,
        workgroup: "64",
        types: ["u32", "u32"],
        before: "",
        body,
        setup: line,
        x,
        y,
    }
}

const fn on_plate(
    name: &'static str,
    body: &'static str,
    x: &'static str,
    y: &'static str,
) -> Case {
    Case {
        workgroup: "8, 4",
        setup: plate,
        ..case(name, body, x, y)
    }
}

pub const CASES: &[Case] = &[
    // One element each.
    case("guarded_by_length", "if id.x < arrayLength(&y) { y[id.x] = x[id.x]; }", "OneToOne", "OneToOne"),
    case("guarded_by_a_return", "if id.x >= arrayLength(&y) { return; } y[id.x] = y[id.x] * 2u;", "", "OneToOne"),
    case("guarded_by_a_uniform", "if id.x >= u.a { return; } y[id.x] = x[id.x] + 1u;", "OneToOne", "OneToOne"),
    case("guarded_by_both_lengths",
        "if id.x >= arrayLength(&y) || id.x >= arrayLength(&x) { return; } y[id.x] = x[id.x];", "OneToOne", "OneToOne"),
    case("guarded_by_the_least", "if id.x < min(arrayLength(&x), arrayLength(&y)) { y[id.x] = x[id.x]; }",
        "OneToOne", "OneToOne"),
    case("guarded_in_nested_ifs", "if id.x < u.a { if u.b > 0u { if x[id.x] > 7u { y[id.x] = 1u; } } }",
        "OneToOne", "OneToOne"),
    case("guarded_by_a_negation", "if !(id.x < u.a) { return; } y[id.x] = 1u;", "", "OneToOne"),
    case("guarded_by_a_variable", "let inside = id.x < u.a; let i = id.x; if inside { y[i] = x[i]; }",
        "OneToOne", "OneToOne"),
    case("guarded_by_subtraction", "let i = id.x; if i32(u.a) - i32(i) > 0 { y[i] = x[i]; }", "OneToOne", "OneToOne"),
    case("copied_through_variables", "var i = id.x; var j = i; j += 2u; j -= 2u; if j < u.a { y[j] = x[i]; }",
        "OneToOne", "OneToOne"),
    case("from_groups_and_local_ids", "let i = group.x * 64u + local.x; if i < u.a { y[i] = x[i]; }",
        "OneToOne", "OneToOne"),
    case("from_groups_and_the_local_index", "let i = group.x * 64u + index; if i < u.a { y[i] = x[i]; }",
        "OneToOne", "OneToOne"),
    case("signed_ids", "let i = i32(id.x); if i >= i32(u.a) { return; } y[i] = x[u32(i)];", "OneToOne", "OneToOne"),
    Case { before: "fn put(at: u32, value: u32) { if at < u.a { y[at] = value; } }",
        ..case("in_a_helper", "put(id.x, id.x * 3u);", "", "OneToOne") },
    Case { before: "fn place(id: vec3<u32>) -> u32 { if id.x > 7u { return id.x; } return id.x; }",
        ..case("from_a_helper", "let i = place(id); if i < u.a { y[i] = x[i]; }", "OneToOne", "OneToOne") },
    Case { before: "fn next(at: ptr<function, u32>) { *at += 1u; }",
        ..case("through_a_pointer", "var i = id.x; next(&i); next(&i); i -= 2u; if i < u.a { y[i] = x[i]; }",
            "OneToOne", "OneToOne") },
    Case { before: "var<private> at: u32; fn find(id: u32) { at = id; }",
        ..case("through_a_private_variable", "find(id.x); if at < u.a { y[at] = x[at]; }", "OneToOne", "OneToOne") },
    Case { before: "struct Where { row: u32, it: vec2<u32> }",
        ..case("in_a_struct", "var w: Where; w.it = vec2(id.x, 5u); w.row = w.it.y; if w.it.x < u.a { y[w.it.x] = w.row; }",
            "", "OneToOne") },
    Case { types: ["vec4<u32>", "vec4<u32>"], ..case("parts_of_vectors",
        "if id.x < u.a { y[id.x].y = x[id.x].z; y[id.x][id.x % 4u] += 1u; }", "OneToOne", "OneToOne") },
    Case { types: ["u32", "atomic<u32>"], ..case("own_atomics",
        "if id.x < u.a { let old = atomicAdd(&y[id.x], x[id.x]); atomicStore(&y[id.x], old * 2u); }",
        "OneToOne", "OneToOne") },
    case("bits_of_an_id", "let i = (id.x >> 3u) * 8u + (id.x & 7u); if i < u.a { y[i] = x[(id.x & ~7u) | (id.x & 7u)]; }",
        "OneToOne", "OneToOne"),
    case("divided_and_multiplied", "let i = id.x / u.b * u.b + id.x % u.b; if i < u.a { y[i] = x[i]; }",
        "OneToOne", "OneToOne"),
    case("switched", "var i = id.x; switch u.c { case 3u: { i += 1u; } default: { i += 1u; } } \
        i -= 1u; if i < u.a { y[i] = x[i]; }", "OneToOne", "OneToOne"),
    case("a_loop_around", "if id.x < u.a { for (var k = 0u; k < u.c; k++) { y[id.x] += x[id.x]; } }",
        "OneToOne", "OneToOne"),
    case("past_the_end_of_the_range", "let i = min(id.x, u.a - 1u); y[i] = x[i];", "OneToOne", "OneToOne"),
    case("strides_of_the_grid_that_covers_all",
        "for (var i = id.x; i < u.a; i += groups.x * 64u) { y[i] = x[i] * 2u; }", "OneToOne", "OneToOne"),
    // Neighbours on a line.
    case("clamped_neighbours",
        "let last = arrayLength(&x) - 1u; if id.x > last { return; }
         y[id.x] = x[max(id.x, 1u) - 1u] + x[min(id.x + 1u, last)];", "Neighborhood(1)", "OneToOne"),
    case("guarded_neighbours",
        "if id.x >= u.a { return; } var sum = x[id.x];
         if id.x > 1u { sum += x[id.x - 2u]; } if id.x + 1u < u.a { sum += x[id.x + 1u]; } y[id.x] = sum;",
        "Neighborhood(2)", "OneToOne"),
    case("inner_neighbours",
        "if id.x == 0u || id.x >= u.a - 1u { return; } y[id.x] = x[id.x - 1u] + x[id.x + 1u];",
        "Neighborhood(1)", "OneToOne"),
    case("signed_neighbours",
        "let i = i32(id.x); let n = i32(arrayLength(&x)); if i >= n { return; }
         y[i] = x[clamp(i - 3, 0, n - 1)] + x[clamp(i + 3, 0, n - 1)];", "Neighborhood(3)", "OneToOne"),
    case("neighbours_in_a_loop",
        "if id.x >= u.a { return; } var sum = 0u;
         for (var d = -2; d <= 2; d++) { let j = i32(id.x) + d; if j >= 0 && j < i32(u.a) { sum += x[j]; } } y[id.x] = sum;",
        "Neighborhood(2)", "OneToOne"),
    case("neighbours_by_select",
        "if id.x >= u.a { return; } let left = select(id.x - 1u, 0u, id.x == 0u);
         let right = select(id.x + 1u, id.x, id.x + 1u >= u.a); y[id.x] = x[left] + x[right];",
        "Neighborhood(1)", "OneToOne"),
    case("a_uniform_reach",
        "if id.x >= u.a { return; } var sum = 0u;
         for (var j = max(id.x, u.c) - u.c; j <= min(id.x + u.c, u.a - 1u); j++) { sum += x[j]; } y[id.x] = sum;",
        "Neighborhood(3)", "OneToOne"),
    case("a_ring_by_modulo",
        "let n = u.a; if id.x >= n { return; } y[id.x] = x[(id.x + n - 1u) % n] + x[(id.x + 1u) % n];",
        "Wrapped(1)", "OneToOne"),
    case("a_ring_by_select",
        "let n = u.a; if id.x >= n { return; }
         y[id.x] = x[select(id.x - 1u, n - 1u, id.x == 0u)] + x[select(id.x + 1u, 0u, id.x == n - 1u)];",
        "Wrapped(1)", "OneToOne"),
    Case { before: "fn around(i: i32, n: i32) -> i32 { if i < 0 { return i + n; } if i >= n { return i - n; } return i; }",
        ..case("a_ring_by_a_helper",
        "let n = i32(u.a); let i = i32(id.x); if i >= n { return; } y[i] = x[around(i - 1, n)] + x[around(i + 1, n)];",
        "Wrapped(1)", "OneToOne") },
    case("a_ring_by_signed_modulo",
        "let n = i32(u.a); let i = i32(id.x); if i >= n { return; } y[i] = x[((i - 2) % n + n) % n];",
        "Wrapped(2)", "OneToOne"),
    // Plates.
    on_plate("rows", "if id.x >= u.a || id.y >= u.b { return; } let i = id.y * u.a + id.x; y[i] = x[i];",
        "OneToOne", "OneToOne"),
    on_plate("rows_by_vectors",
        "let size = vec2(u.a, u.b); if any(id.xy >= size) { return; } let i = dot(id.xy, vec2(1u, u.a)); y[i] = x[i];",
        "OneToOne", "OneToOne"),
    on_plate("rows_of_a_length_that_is_worked_out",
        "let width = arrayLength(&y) / u.b; if id.x < width && id.y < u.b { y[id.x + id.y * width] = 1u; }",
        "", "OneToOne"),
    on_plate("a_stencil",
        "if id.x >= u.a || id.y >= u.b { return; } let i = id.y * u.a + id.x;
         if id.x == 0u || id.y == 0u || id.x == u.a - 1u || id.y == u.b - 1u { y[i] = x[i]; return; }
         y[i] = x[i - 1u] + x[i + 1u] + x[i - u.a] + x[i + u.a];", "Neighborhood(1)", "OneToOne"),
    on_plate("a_clamped_stencil",
        "if id.x >= u.a || id.y >= u.b { return; }
         let up = max(id.y, 2u) - 2u; let down = min(id.y + 2u, u.b - 1u);
         y[id.y * u.a + id.x] = x[up * u.a + id.x] + x[down * u.a + id.x];", "Neighborhood(2)", "OneToOne"),
    on_plate("a_stencil_in_loops",
        "if id.x >= u.a || id.y >= u.b { return; } var sum = 0u;
         for (var dy = -1; dy <= 1; dy++) { for (var dx = -1; dx <= 1; dx++) {
             let at = clamp(vec2<i32>(id.xy) + vec2(dx, dy), vec2(0), vec2(i32(u.a), i32(u.b)) - 1);
             sum += x[at.y * i32(u.a) + at.x]; } } y[id.y * u.a + id.x] = sum;", "Neighborhood(1)", "OneToOne"),
    on_plate("a_torus",
        "let w = u.a; let h = u.b; if id.x >= w || id.y >= h { return; }
         let l = (id.x + w - 1u) % w; let r = (id.x + 1u) % w; let t = (id.y + h - 1u) % h; let b = (id.y + 1u) % h;
         y[id.y * w + id.x] = x[t * w + l] + x[t * w + r] + x[b * w + l] + x[b * w + id.x] + x[id.y * w + r];",
        "Wrapped(1)", "OneToOne"),
    Case { setup: |n, m| { let s = plate(n, m); Setup { range: [s.x, 1, 1], ..s } },
        ..case("a_plate_on_a_line",
        "let i = id.x; if i >= arrayLength(&y) { return; } let w = u.a; let row = i / w; let column = i % w;
         var sum = x[i]; if row > 0u { sum += x[i - w]; } if row + 1u < u.b { sum += x[(row + 1u) * w + column]; }
         if column > 0u { sum += x[i - 1u]; } y[i] = sum;", "Neighborhood(48)", "OneToOne") },
    on_plate("columns",
        "if id.x >= u.a || id.y >= u.b { return; }
         y[id.x * u.b + id.y] = 1u; // here", "", "no"),
    on_plate("transposed_reads",
        "if id.x >= u.a || id.y >= u.b { return; }
         y[id.y * u.a + id.x] = x[id.x * u.b + id.y]; // read", "All", "OneToOne"),
    on_plate("the_wrong_width",
        "if id.x >= u.a || id.y >= u.b { return; }
         y[id.y * (u.a - 1u) + id.x] = 1u; // here", "", "no"),
    on_plate("a_missing_guard_along_x",
        "if id.y >= u.b { return; }
         y[min(id.y * u.a + id.x, arrayLength(&y) - 1u)] = 1u; // here", "", "OneToOne"),
    Case { setup: |n, _| plate(n, 50), ..on_plate("a_row_that_is_too_long",
        "if id.y >= u.b { return; }
         y[min(id.y * u.a + id.x, arrayLength(&y) - 1u)] = 1u; // here", "", "no") },
    // Blocks.
    Case { workgroup: "4, 2, 2", setup: block, ..case("planes",
        "let n = vec3(u.a, u.b, u.c); if any(id >= n) { return; } let i = (id.z * n.y + id.y) * n.x + id.x;
         var sum = x[i]; if id.z > 0u { sum += x[i - n.x * n.y]; } if id.z + 1u < n.z { sum += x[i + n.x * n.y]; }
         if id.y > 0u { sum += x[i - n.x]; } y[i] = sum;", "Neighborhood(1)", "OneToOne") },
    // Strides.
    Case { setup: |n, m| Setup { x: 4 * n, y: 4 * n, ..line(n, m) }, ..case("several_elements_each",
        "if id.x >= u.a { return; } for (var k = 0u; k < 4u; k++) { y[id.x * 4u + k] = x[id.x * 4u + k]; }",
        "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { x: n.div_ceil(4), ..line(n, m) }, ..case("several_invocations_an_element",
        "if id.x < u.a { y[id.x] = x[id.x / 4u] >> (id.x % 4u * 8u); }", "Strided(64, 16, 0, 16)", "OneToOne") },
    Case { setup: |n, m| Setup { y: n.div_ceil(4), ..line(n, m) }, ..case("one_of_four_writes",
        "if id.x < u.a && id.x % 4u == 0u { y[id.x / 4u] = 1u; }", "", "Strided(64, 16, 0, 16)") },
    Case { setup: |n, m| Setup { y: n.div_ceil(96), ..line(n, m) }, ..case("blocks_that_no_workgroup_ends_with",
        "if id.x < u.a && id.x % 96u == 0u { y[id.x / 96u] = 1u; } // here", "", "no") },
    Case { setup: sums, ..case("an_element_for_each_workgroup",
        "if local.x == 0u { y[group.x] = x[group.x * 64u]; }", "OneToOne", "Strided(64, 1, 0, 1)") },
    Case { setup: sums, before: "var<workgroup> sums: array<u32, 64>;", ..case("a_reduction",
        "if id.x < arrayLength(&x) { sums[index] = x[id.x]; } workgroupBarrier();
         for (var step = 32u; step > 0u; step /= 2u) {
             if index < step { sums[index] += sums[index + step]; } workgroupBarrier(); }
         if index == 0u { y[group.x] = sums[0]; }", "OneToOne", "Strided(64, 1, 0, 1)") },
    Case { setup: |n, m| Setup { range: [64 * m, 1, 1], x: n * m, y: n * m, u: [n as u32, m as u32, 0, 0] },
        ..case("a_row_for_each_workgroup",
        "for (var c = local.x; c < u.a; c += 64u) { y[group.x * u.a + c] = x[group.x * u.a + c]; }",
        "Strided(64, 1000, 0, 1000)", "Strided(64, 1000, 0, 1000)") },
    Case { setup: |n, m| Setup { x: 3 * n.next_multiple_of(64), y: 3 * n.next_multiple_of(64), ..line(n, m) },
        ..case("strips", "for (var k = 0u; k < 3u; k++) { let i = group.x * 192u + k * 64u + local.x; y[i] = x[i] + k; }",
        "Strided(64, 192, 0, 192)", "Strided(64, 192, 0, 192)") },
    case("backwards",
        "let last = arrayLength(&y) - 1u; if id.x <= last { y[last - id.x] = x[id.x]; }", "OneToOne", "Strided(64, -64, 936, 1000)"),
    Case { before: "var<workgroup> tile: array<u32, 66>;", ..case("tiles_with_a_halo",
        "for (var t = local.x; t < 66u; t += 64u) {
             let i = group.x * 64u + t; if i >= 1u && i <= arrayLength(&x) { tile[t] = x[i - 1u]; } }
         workgroupBarrier();
         if id.x < u.a { y[id.x] = tile[local.x] + tile[local.x + 2u]; }", "Strided(64, 64, -1, 65)", "OneToOne") },
    case("only_the_first_invocation", "if id.x == 0u { y[7] = x[5]; }", "Strided(64, 1000, 5, 6)", "Strided(64, 1000, 7, 8)"),
    case("a_table", "if id.x < u.a { y[id.x] = x[id.x & 15u]; }", "Strided(64, 0, 0, 16)", "OneToOne"),
    case("swapped_within_a_workgroup", "let i = group.x * 64u + (63u - local.x); if i < u.a { y[i] = 1u; }",
        "", "Strided(64, 64, 0, 64)"),
    // Partners at a distance of a power of two.
    Case { setup: butterfly, ..case("a_butterfly",
        "if id.x < u.a { y[id.x] = x[id.x] + x[id.x ^ u.b]; }", "Strided(512, 512, 0, 512)", "OneToOne") },
    Case { setup: butterfly, ..case("a_butterfly_of_a_stage",
        "let i = id.x; if i >= u.a { return; } let bit = 1u << u.c;
         if (i & bit) == 0u { y[i] = x[i] + x[i + bit]; } else { y[i] = x[i - bit] - x[i]; }", "Strided(512, 512, 0, 512)", "OneToOne") },
    Case { setup: butterfly, ..case("partners_that_are_near",
        "let partner = id.x ^ 4u; if id.x < u.a && partner < u.a { y[id.x] = x[partner]; }", "Strided(64, 64, 0, 64)", "OneToOne") },
    case("partners_by_a_mask", "let partner = id.x ^ 21u; if id.x < u.a && partner < u.a { y[id.x] = x[partner]; }",
        "Strided(64, 64, 0, 64)", "OneToOne"),
    Case { setup: butterfly, ..case("a_small_butterfly_in_every_round",
        "if id.x >= u.a || u.a < 64u { return; } var sum = 0u;
         for (var k = 0u; k < 6u; k++) { sum += x[id.x ^ (1u << k)]; } y[id.x] = sum;", "Strided(64, 64, 0, 64)", "OneToOne") },
    case("compared_and_swapped",
        "let i = id.x; let j = i ^ 16u; if j <= i || j >= u.a { return; }
         let a = y[i]; let b = y[j]; if (a > b) == ((i & 32u) == 0u) { y[i] = b; y[j] = a; }", "", "Strided(64, 64, 0, 64)"),
    Case { setup: butterfly, ..case("compared_and_swapped_far_away",
        "let i = id.x; let j = i ^ u.b; if j <= i || j >= u.a { return; }
         let a = y[i]; let b = y[j]; // here
         if a > b { y[i] = b; y[j] = a; }", "", "no") },
    Case { setup: |n, m| Setup { x: 2 * n.next_multiple_of(64), y: 2 * n.next_multiple_of(64), range: [n, 1, 1], u: [n as u32, 1, (m % 6) as u32, 0] },
        ..case("pairs_with_a_bit_between",
        "let k = u.c; if id.x >= u.a { return; }
         let i = ((id.x >> k) << (k + 1u)) | (id.x & ((1u << k) - 1u)); let j = i | (1u << k);
         let a = y[i]; y[i] = y[j]; y[j] = a;", "", "Strided(64, 128, 0, 128)") },
    Case { setup: |n, m| Setup { u: [0, 1 << (m % 6), 0, 0], ..butterfly(n, m) }, ..case("written_to_partners",
        "y[id.x ^ u.b] = x[id.x];", "OneToOne", "Strided(64, 64, 0, 64)") },
    Case { setup: butterfly, ..case("turned_over",
        "if id.x < u.a { y[id.x] = x[id.x ^ (u.a - 1u)]; }", "Strided(64, -64, 960, 1024)", "OneToOne") },
    Case { setup: butterfly, ..case("turned_over_below_an_end",
        "if id.x < u.a { y[id.x] = x[~id.x & (u.a - 1u)]; }", "Strided(64, -64, 960, 1024)", "OneToOne") },
    case("a_partner_past_the_end", "if id.x < u.a { y[id.x ^ 32u] = 1u; } // here", "", "no"),
    case("bits_of_a_sum", "let i = (id.x + 32u) ^ 32u; if i < u.a { y[i] = 1u; } // here", "", "no"),
    // As people write them.
    case("backwards_signed", "let n = i32(u.a); let i = i32(id.x); if i < n { y[i] = x[n - 1 - i]; }",
        "Strided(64, -64, 936, 1000)", "OneToOne"),
    case("swapped_with_the_other_end",
        "let i = id.x; let n = u.a; if i >= n / 2u { return; }
         let a = y[i]; let b = y[n - 1u - i]; // here
         y[i] = b; y[n - 1u - i] = a;", "", "no"),
    case("a_mirrored_border",
        "let n = i32(u.a); let i = i32(id.x); if i >= n || n < 3 { return; }
         let left = abs(i - 1); let right = n - 1 - abs(n - 1 - (i + 1)); y[i] = x[left] + x[i] + x[right];",
        "Neighborhood(1)", "OneToOne"),
    Case { workgroup: "8, 8", before: "var<workgroup> tile: array<array<u32, 9>, 8>;", ..on_plate("a_transpose_in_tiles",
        "let c = group.y * 8u + local.x; let r = group.x * 8u + local.y;
         if c < u.b && r < u.a { tile[local.y][local.x] = x[c * u.a + r]; } workgroupBarrier();
         let to = group.y * 8u + local.y; if id.x < u.a && to < u.b { y[to * u.a + id.x] = tile[local.x][local.y]; }",
        "Strided(8, 384, 0, 384)", "OneToOne") },
    Case { workgroup: "8, 8", before: "var<workgroup> tile: array<array<u32, 9>, 8>;", ..on_plate("a_transpose_that_writes_columns",
        "if id.x < u.a && id.y < u.b { tile[local.y][local.x] = x[id.y * u.a + id.x]; } workgroupBarrier();
         let c = group.y * 8u + local.x; let r = group.x * 8u + local.y;
         if c < u.b && r < u.a { y[r * u.b + c] = tile[local.x][local.y]; } // here", "OneToOne", "no") },
    Case { workgroup: "4, 2, 2", setup: block, before: "fn at(p: vec3<i32>) -> u32 {
            let n = vec3<i32>(vec3(u.a, u.b, u.c)); let q = clamp(p, vec3(0), n - 1); return x[(q.z * n.y + q.y) * n.x + q.x]; }",
        ..case("a_clamped_stencil_of_planes",
        "if any(id >= vec3(u.a, u.b, u.c)) { return; } let p = vec3<i32>(id);
         y[(id.z * u.b + id.y) * u.a + id.x] = at(p) + at(p + vec3(1, 0, 0)) + at(p - vec3(1, 0, 0)) + at(p + vec3(0, 1, 0))
             + at(p - vec3(0, 1, 0)) + at(p + vec3(0, 0, 1)) + at(p - vec3(0, 0, 1));", "Neighborhood(1)", "OneToOne") },
    on_plate("a_stencil_with_borders_by_select",
        "if id.x >= u.a || id.y >= u.b { return; } let w = u.a; let i = id.y * w + id.x;
         let l = select(i - 1u, i, id.x == 0u); let r = select(i + 1u, i, id.x == w - 1u);
         let t = select(i - w, i, id.y == 0u); let b = select(i + w, i, id.y == u.b - 1u);
         y[i] = x[l] + x[r] + x[t] + x[b];", "Neighborhood(1)", "OneToOne"),
    Case { workgroup: "8, 8", before: "var<workgroup> tile: array<array<u32, 10>, 10>;", ..on_plate("a_tile_with_a_halo_of_rows",
        "for (var t = index; t < 100u; t += 64u) {
             let at = vec2<i32>(group.xy * 8u) + vec2(i32(t % 10u), i32(t / 10u)) - 1;
             let p = clamp(at, vec2(0), vec2(i32(u.a), i32(u.b)) - 1); tile[t / 10u][t % 10u] = x[p.y * i32(u.a) + p.x]; }
         workgroupBarrier(); if id.x >= u.a || id.y >= u.b { return; }
         y[id.y * u.a + id.x] = tile[local.y][local.x + 1u] + tile[local.y + 2u][local.x + 1u];", "Strided(8, 384, -48, 432)", "OneToOne") },
    Case { before: "var<workgroup> tile: array<u32, 70>; const R = 3u;", ..case("a_halo_that_few_load",
        "let i = id.x; let n = u.a; if i < n { tile[local.x + R] = x[i]; }
         if local.x < R { tile[local.x] = x[max(i, R) - R] * u32(i < n + R && i >= R && n >= R); if i + 64u < n { tile[local.x + 64u + R] = x[i + 64u]; } }
         workgroupBarrier(); if i >= n { return; } y[i] = tile[local.x] + tile[local.x + 2u * R];",
        "Strided(64, 64, -3, 67)", "OneToOne") },
    Case { setup: |n, m| Setup { x: 4 * n, y: 4 * n, ..line(n, m) }, ..case("four_each_unrolled",
        "let i = id.x * 4u; if i + 3u >= arrayLength(&y) { return; }
         y[i] = x[i]; y[i + 1u] = x[i + 1u]; y[i + 2u] = x[i + 2u]; y[i + 3u] = x[i + 3u];", "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { range: [n.div_ceil(4), 1, 1], ..line(n, m) }, ..case("four_each_as_far_as_there_are",
        "for (var k = 0u; k < 4u; k++) { let i = id.x * 4u + k; if i < u.a { y[i] = x[i]; } }", "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { x: 3 * n, ..line(n, m) }, ..case("a_struct_of_arrays",
        "let i = id.x; let n = u.a; if i < n { y[i] = x[i] + x[n + i] * x[2u * n + i]; } // read", "All", "OneToOne") },
    Case { setup: |n, m| Setup { y: 2 * n, ..line(n, m) }, ..case("a_struct_of_arrays_that_is_written",
        "let i = id.x; let n = u.a; if i < n {
             y[i] = x[i]; y[n + i] = x[i] * 2u; } // here", "OneToOne", "no") },
    Case { types: ["vec4<u32>", "u32"], setup: |n, m| Setup { x: n.div_ceil(4), ..line(n, m) }, ..case("one_of_four_in_a_vector",
        "if id.x < u.a { y[id.x] = x[id.x >> 2u][id.x & 3u]; }", "Strided(64, 16, 0, 16)", "OneToOne") },
    Case { types: ["u32", "vec4<u32>"], setup: |n, m| Setup { y: n.div_ceil(4), ..line(n, m) }, ..case("a_vector_from_four",
        "let i = id.x * 4u; if id.x < arrayLength(&y) && i + 3u < arrayLength(&x) { y[id.x] = vec4(x[i], x[i + 1u], x[i + 2u], x[i + 3u]); }",
        "Strided(64, 256, 0, 256)", "Strided(64, 64, 0, 64)") },
    Case { setup: |n, m| Setup { x: 4 * n, y: 4 * n, ..line(n, m) }, ..case("strides_of_the_grid",
        "for (var i = id.x; i < arrayLength(&y); i += groups.x * 64u) {
             let value = x[i]; // read
             y[i] = value; } // here", "All", "no") },
    Case { setup: |n, m| Setup { x: 4 * n, ..line(n, m) }, ..case("bytes_packed_to_words",
        "if id.x >= u.a { return; } let i = id.x << 2u;
         y[id.x] = (x[i] & 255u) | ((x[i | 1u] & 255u) << 8u) | ((x[i | 2u] & 255u) << 16u) | (x[i | 3u] << 24u);",
        "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { x: 2 * n, ..line(n, m) }, ..case("sums_of_pairs",
        "if id.x < u.a { y[id.x] = x[2u * id.x] + x[2u * id.x + 1u]; }", "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { x: 2 * n - 1, ..line(n, m) }, ..case("sums_of_pairs_and_one_alone",
        "if id.x < u.a { y[id.x] = x[2u * id.x] + x[min(2u * id.x + 1u, arrayLength(&x) - 1u)]; }", "Strided(64, 128, 0, 128)", "OneToOne") },
    Case { setup: |n, m| Setup { y: n, range: [n.div_ceil(2), 1, 1], ..line(n, m) }, ..case("odd_with_even",
        "let i = 2u * id.x + u.d; if i + 1u >= u.a { return; }
         if y[i] > y[i + 1u] { let a = y[i]; y[i] = y[i + 1u]; y[i + 1u] = a; }", "", "Strided(64, 128, 1, 129)") },
    Case { setup: |n, m| Setup { x: n + 1, ..line(n, m) }, ..case("rows_of_a_sparse_matrix",
        "if id.x >= u.a { return; } var sum = 0u; let end = min(x[id.x + 1u], 100u);
         for (var k = x[id.x]; k < end; k++) { sum += k; } y[id.x] = sum;", "Strided(64, 64, 0, 65)", "OneToOne") },
    Case { setup: |n, m| Setup { x: n * m, ..line(n, m) }, ..case("a_matrix_times_ones",
        "if id.x >= u.a { return; } var sum = 0u; for (var c = 0u; c < u.b; c++) { sum += x[id.x * u.b + c]; } y[id.x] = sum;",
        "OneToOne", "OneToOne") },
    Case { setup: |n, m| Setup { x: n * m, ..line(n, m) }, ..case("sums_of_columns",
        "if id.x >= u.a { return; } var sum = 0u;
         for (var r = 0u; r < u.b; r++) { sum += x[r * u.a + id.x]; } // read
         y[id.x] = sum;", "All", "OneToOne") },
    Case { setup: |n, m| { let s = plate(n, m); Setup { x: 4 * s.x, ..s } }, ..on_plate("half_as_large",
        "if id.x >= u.a || id.y >= u.b { return; } let w = 2u * u.a; let i = 2u * id.y * w + 2u * id.x;
         y[id.y * u.a + id.x] = (x[i] + x[i + 1u] + x[i + w] + x[i + w + 1u]) / 4u;", "OneToOne", "OneToOne") },
    Case { setup: |n, m| { let s = plate(n, 2 * m); Setup { x: m * s.range[1].div_ceil(2), ..s } }, ..on_plate("twice_as_large",
        "if id.x >= u.a || id.y >= u.b { return; } y[id.y * u.a + id.x] = x[(id.y / 2u) * (u.a / 2u) + id.x / 2u];",
        "Strided(4, 96, 0, 96)", "OneToOne") },
    Case { setup: |n, m| { let s = plate(n, m); Setup { range: [s.range[0], s.range[1].div_ceil(2), 1], ..s } }, ..on_plate("two_rows_each",
        "if id.x >= u.a { return; } for (var k = 0u; k < 2u; k++) { let r = 2u * id.y + k;
             if r < u.b { y[r * u.a + id.x] = x[r * u.a + id.x]; } }", "Strided(4, 384, 0, 384)", "Strided(4, 384, 0, 384)") },
    Case { workgroup: "64", setup: |n, m| { let rows = n.div_ceil(128); Setup { range: [128, rows, 1], ..line(n, m) } },
        ..case("a_long_line_in_rows",
        "let i = id.y * (groups.x * 64u) + id.x; if i < u.a { y[i] = x[i]; }", "Strided(1, 128, 0, 128)", "Strided(1, 128, 0, 128)") },
    Case { setup: |n, m| { let s = plate(n, m); let rows = s.x / m; Setup { range: [64 * rows, 1, 1], x: 64 * rows, y: 64 * rows, u: s.u } },
        ..case("rows_by_shifts_and_masks",
        "let row = id.x >> 6u; let column = id.x & 63u; if row < u.b { let i = (row << 6u) | column;
             y[i] = x[i] + x[(row << 6u) | ((column + 1u) & 63u)]; }", "Strided(64, 64, 0, 64)", "OneToOne") },
    Case { before: "var<workgroup> sums: array<u32, 64>;", setup: |n, m| Setup { y: n.next_multiple_of(64), ..line(n, m) }, ..case("prefixes_of_blocks",
        "var sum = 0u; if id.x < u.a { sum = x[id.x]; } sums[index] = sum; workgroupBarrier();
         for (var d = 1u; d < 64u; d <<= 1u) { var v = sums[index]; if index >= d { v += sums[index - d]; }
             workgroupBarrier(); sums[index] = v; workgroupBarrier(); }
         y[group.x * 64u + index] = sums[index];", "OneToOne", "Strided(64, 64, 0, 64)") },
    case("a_window_by_while",
        "if id.x >= u.a { return; } var sum = 0u; var j = id.x; var left = 3u;
         while left > 0u && j > 0u { j -= 1u; left -= 1u; sum += x[j]; } y[id.x] = sum;", "Strided(64, 64, -3, 63)", "OneToOne"),
    // Accumulation.
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("a_histogram",
        "if id.x < arrayLength(&x) { atomicAdd(&y[x[id.x] & 15u], 1u); }", "OneToOne", "Accumulate(Add)") },
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("subtraction_adds",
        "if id.x < arrayLength(&x) { atomicAdd(&y[x[id.x] % 5u], 1u); atomicSub(&y[15], 1u); }",
        "OneToOne", "Accumulate(Add)") },
    Case { setup: few, types: ["u32", "atomic<i32>"], ..case("a_minimum",
        "if id.x < arrayLength(&x) { atomicMin(&y[0], i32(x[id.x])); }", "OneToOne", "Accumulate(Min)") },
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("mixed_operations",
        "if id.x < arrayLength(&x) { atomicAdd(&y[0], 1u); atomicMax(&y[0], 1u); } // here", "Strided(64, 0, 0, 0)", "no") },
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("an_old_value_that_is_used",
        "if id.x >= u.a { return; }
         let old = atomicAdd(&y[0], 1u); // here
         if old > 7u { atomicAdd(&y[1], 1u); }", "", "no") },
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("an_atomic_that_is_also_read",
        "if id.x < arrayLength(&x) { atomicAdd(&y[1], x[id.x]); }
         if atomicLoad(&y[2]) > 5u { // here
             atomicAdd(&y[2], 1u); }", "OneToOne", "no") },
    Case { setup: few, types: ["u32", "atomic<u32>"], ..case("an_exclusive_or",
        "atomicXor(&y[id.x % 16u], 1u); // here", "", "no") },
    // What must not be proven.
    case("no_guard", "y[id.x] = 1u; // here", "", "no"),
    case("a_guard_that_is_one_too_wide", "if id.x <= u.a { y[id.x] = 1u; } // here", "", "no"),
    case("the_next_element", "if id.x + 1u < u.a { y[id.x + 1u] = 1u; }", "", "Strided(64, 64, 1, 65)"),
    case("an_update_that_reads_its_neighbour",
        "if id.x + 1u < u.a {
             let next = y[id.x + 1u]; // here
             y[id.x] = next; }", "", "no"),
    case("scattered", "if id.x < u.a && x[id.x] < u.a { y[x[id.x]] = 1u; } // here", "OneToOne", "no"),
    case("gathered", "if id.x < u.a { y[id.x] = x[x[id.x] % u.a]; } // read", "All", "OneToOne"),
    case("everything_at_zero", "y[0] = id.x; // here", "", "no"),
    case("a_clamped_write", "y[min(id.x * 2u, u.a - 1u)] = 1u; // here", "", "no"),
    case("a_product_that_overflows",
        "if id.x < u.a { y[(id.x * 4294967295u) & 1023u] = 1u; } // here", "", "no"),
    case("an_index_that_wraps_around",
        "let i = id.x * 67108864u; if i < u.a { y[i] = id.x; } // here", "", "no"),
    case("a_shift_that_loses_bits", "let i = (id.x << 26u) >> 26u; if i < u.a { y[i] = id.x; } // here", "", "no"),
    case("minus_one_that_isnt_guarded", "if id.x < u.a { y[id.x - 1u] = 1u; } // here", "", "no"),
    case("a_guard_in_the_other_branch", "if id.x >= u.a { y[id.x] = 1u; } else { y[id.x] = 2u; } // here", "", "no"),
    case("a_loop_without_a_bound",
        "var i = id.x; loop { if x[i % u.a] == 7u || i > 5000u { break; } i += 1u; }
         if i < u.a { y[i] = 1u; } // here", "All", "no"),
    case("a_loop_that_goes_on_into_the_neighbours",
        "for (var k = 0u; k < 2u; k++) { if id.x + k < u.a { y[id.x + k] = k; } } // here", "", "no"),
    case("a_variable_that_changes_after_the_guard",
        "var i = id.x; if i < u.a - 1u { i = i + u.d; y[i] = 1u; if i > 5u { y[id.x] = 1u; } } // here", "", "no"),
    case("a_pointer_that_changes_the_index",
        "var i = id.x; let p = &i; if i < u.a - 1u { *p = 0u; y[i] = 1u; } // here", "", "no"),
    Case { before: "fn change(p: ptr<function, u32>) { *p = *p / 65u; }",
        ..case("a_helper_that_changes_the_index",
        "var i = id.x; if i < u.a { change(&i); y[i] = 1u; } // here", "", "no") },
    case("a_swap_that_hides_it",
        "var a = id.x; var b = 0u; let t = a; a = b; b = t; if a < u.a { y[a] = b; } // here", "", "no"),
    case("a_vector_that_is_indexed",
        "var v = vec2(id.x, 0u); v[u.d] = 5u; if v.x < u.a { y[v.x] = v.y; } if v.y < u.a { y[v.y] = v.x; } // here",
        "", "no"),
    case("a_switch_that_falls_to_another",
        "var i = id.x; switch x[id.x % u.a] { case 1u: { i = 0u; } case 2u, 3u: { i = 1u; } default: { } }
         if i < u.a { y[i] = 1u; } // here", "Wrapped(24)", "no"),
    case("a_stride_of_the_grid_that_is_too_short",
        "for (var i = id.x; i < u.a; i += 64u) { y[i] = x[i] * 2u; } // here", "All", "no"),
    case("ids_of_two_kinds", "let i = group.x + local.x; if i < u.a { y[i] = 1u; } // here", "", "no"),
    case("a_condition_on_data", "if x[0] == 1u { y[id.x % u.a] = 1u; } // here", "Strided(64, 0, 0, 1)", "no"),
    case("a_remainder_that_is_shared", "y[id.x % 64u] = 1u; // here", "", "no"),
    case("a_float_in_between", "let i = u32(f32(id.x) * 1.0); if i < u.a { y[i] = 1u; } // here", "", "no"),
    case("an_index_from_a_select", "let i = select(id.x, 3u, x[id.x % u.a] == 9u); if i < u.a { y[i] = 1u; } // here",
        "Wrapped(24)", "no"),
    Case { types: ["u32", "array<u32, 4>"], ..case("an_inner_index_that_leaves_its_array",
        "if id.x < u.a { y[id.x][x[id.x]] = 1u; } // here", "OneToOne", "no") },
];
