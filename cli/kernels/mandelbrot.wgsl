// How many steps a point takes to leave the circle of radius two. What a row costs depends on where it is.

struct View {
    width: u32,
    height: u32,
    limit: u32,
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> steps: array<u32>;

@compute @workgroup_size(16, 16)
fn mandelbrot(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    // Powers of two and whole numbers, so that every device begins with the same point.
    let c = vec2<f32>(f32(id.x), f32(id.y)) * (1.0 / 256.0) * (256.0 / f32(view.width)) * vec2<f32>(3.0, 2.0)
        - vec2<f32>(2.0, 1.0);
    var z = vec2<f32>(0.0);
    var n = 0u;
    while n < view.limit && dot(z, z) <= 4.0 {
        z = vec2<f32>(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
        n++;
    }
    steps[id.y * view.width + id.x] = n;
}
