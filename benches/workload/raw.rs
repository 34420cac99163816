//! The same kernels in plain wgpu: what a user would write for one GPU, with the data there already.

use pollster::block_on;
use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// A GPU that is driven by hand.
pub struct Raw {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// A pipeline with its buffers bound.
pub struct Prepared {
    pipeline: wgpu::ComputePipeline,
    groups: Vec<wgpu::BindGroup>,
    dispatch: [u32; 3],
}

impl Raw {
    /// The first GPU that wgpu finds, if there is one.
    pub fn open() -> Option<Self> {
        let adapter =
            block_on(wgpu::Instance::default().request_adapter(&Default::default())).ok()?;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = block_on(adapter.request_device(&descriptor)).ok()?;
        Some(Self { device, queue })
    }

    pub fn buffer(&self, bytes: &[u8], is_uniform: bool) -> wgpu::Buffer {
        let usage = if is_uniform {
            wgpu::BufferUsages::UNIFORM
        } else {
            wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST
        };
        self.device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents: bytes,
            usage,
        })
    }

    /// Binds buffers to bindings 0, 1, ... of group 0; one bind group for each list, used in turn.
    pub fn prepare(
        &self,
        wgsl: &str,
        entry: &str,
        lists: &[Vec<(u32, &wgpu::Buffer)>],
        dispatch: [u32; 3],
    ) -> Prepared {
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: Default::default(),
                cache: None,
            });
        let layout = pipeline.get_bind_group_layout(0);
        let group = |list: &Vec<(u32, &wgpu::Buffer)>| {
            let bound = list.iter().map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            });
            let entries: Vec<_> = bound.collect();
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &layout,
                entries: &entries,
            })
        };
        let groups = lists.iter().map(group).collect();
        Prepared {
            pipeline,
            groups,
            dispatch,
        }
    }

    /// The bytes of a buffer.
    #[allow(dead_code, reason = "not every bench has answers")]
    pub fn read(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("it maps"));
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("the GPU answers");
        staging.get_mapped_range(..).expect("it is mapped").to_vec()
    }

    /// Runs it once and waits.
    #[allow(dead_code, reason = "not every bench has one dispatch a run")]
    pub fn run(&self, prepared: &Prepared, turn: usize) {
        self.run_all(None, &[prepared], turn);
    }

    /// Zeroes a buffer if there is one to be zeroed, runs all of them in order, and waits.
    pub fn run_all(&self, cleared: Option<&wgpu::Buffer>, all: &[&Prepared], turn: usize) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        if let Some(cleared) = cleared {
            encoder.clear_buffer(cleared, 0, None);
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for prepared in all {
            pass.set_pipeline(&prepared.pipeline);
            if let Some(group) = prepared.groups.get(turn % prepared.groups.len().max(1)) {
                pass.set_bind_group(0, group, &[]);
            }
            let [x, y, z] = prepared.dispatch;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        let submission = self.queue.submit([encoder.finish()]);
        let wait = wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        };
        self.device.poll(wait).expect("the GPU answers");
    }
}
