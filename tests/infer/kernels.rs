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
        "var i = id.x; loop { if x[i % u.a] == 7u || i > 4000000000u { break; } i += 1u; }
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
