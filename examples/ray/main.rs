//! Light is followed through a heap of spheres, path by path, and the picture gets clearer with each.

mod scene;
#[path = "../show/mod.rs"]
mod show;

use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel};
use scene::{Sphere, scene};
use show::{Example, Outcome, Picture, Show};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Camera {
    width: u32,
    height: u32,
    sample: u32,
    seed: u32,
    count: u32,
    furnace: u32,
}

fn main() -> Outcome {
    let about = "Spheres of chalk, metal and glass, by paths of light.";
    let mut show = Example::new("ray", about)
        .size(640, 16..=16_384, "columns, nine sixteenths as many rows")
        .steps(48, "paths of light for each pixel")
        .seed(1)
        .draws(1.0) // where devices round differently, a few paths go elsewhere
        .open()?;
    let kernel = Kernel::from_wgsl(include_str!("../../shaders/ray.wgsl"))?;
    let camera = |width: usize, furnace| Camera {
        width: width as u32,
        height: (width * 9 / 16) as u32,
        sample: 0,
        seed: show.options.seed as u32,
        count: 0,
        furnace,
    };
    let (small, large) = (camera(160, 1), camera(show.options.size, 0));
    let scene = scene();

    // In a furnace whose walls shine as brightly everywhere nothing can be seen if all gives back all light. Only paths that
    // are still under way after the last bounce have found none.
    let furnace = trace(&mut show, &kernel, small, &scene, 0..4)?;
    let lights = furnace.iter().map(|light| f64::from(light[0]));
    let above = lights.clone().fold(0.0, f64::max) - 1.0;
    show.within("most light in a furnace, above 1", above.max(0.0), 1e-5);
    let missing = (1.0 - lights.sum::<f64>() / furnace.len() as f64).abs();
    show.within("light missing in a furnace, on average", missing, 4e-3);
    // Each path that meets a ball of chalk which is alone meets it once.
    let (mut ball, mut lonely) = (scene[0], small);
    (ball.colour, lonely.furnace) = ([0.25; 3], 2);
    let alone = trace(&mut show, &kernel, lonely, &[ball], 0..1)?;
    let is_right = alone.iter().all(|light| [0.25, 1.0].contains(&light[0]));
    let is_right = is_right && alone.iter().any(|light| light[0] == 0.25);
    show.check("a ball in a furnace is as bright as it is grey", is_right);

    let steps = show.steps();
    let end = trace(&mut show, &kernel, large, &scene, steps)?;
    show.picture(draw(&end, large.width as usize))?;
    show.end()
}

/// Paths on all devices.
fn trace(
    show: &mut Show,
    kernel: &Kernel,
    mut camera: Camera,
    spheres: &[Sphere],
    samples: impl Iterator<Item = usize>,
) -> Outcome<Vec<[f32; 4]>> {
    let runtime = show.runtime.clone();
    let (width, height) = (camera.width as usize, camera.height as usize);
    camera.count = spheres.len() as u32;
    let there = runtime.buffer_from(spheres)?;
    let light: Buffer<[f32; 4]> = runtime.buffer(width * height)?;
    for sample in samples {
        camera.sample = sample as u32;
        let dispatch = runtime.dispatch(kernel, [width, height]);
        let dispatch = dispatch.value("camera", camera).bind("spheres", &there);
        show.submit(dispatch.bind("light", &light))?;
        show.frame(sample, || Ok(draw(&runtime.read(&light)?, width)))?;
    }
    show.wait()?;
    Ok(runtime.read(&light)?)
}

fn draw(light: &[[f32; 4]], width: usize) -> Picture {
    // As film does it: what is very bright is less than white.
    let tone = |part: f32| (1.0 - (-1.6 * part).exp()).powf(1.0 / 2.2);
    Picture::new(width, light.len() / width, |x, y| {
        let [red, green, blue, _] = light[y * width + x];
        [red, green, blue].map(tone)
    })
}
