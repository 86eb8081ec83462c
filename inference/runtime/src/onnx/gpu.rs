//! What is known of the GPUs, by their driver's own library. Without one there is a typed no.

use super::error::GpuError;

/// Most GPUs that are told of.
#[cfg(feature = "cuda")]
const GPUS_MAX: u32 = 64;

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuFacts {
    /// Its number, as the driver counts.
    pub number: u32,
    /// What it is called.
    pub name: String,
    /// Its own id.
    pub uuid: String,
    /// The version of its driver.
    pub driver: String,
    /// The newest CUDA that the driver serves: 13000 is 13.0.
    pub cuda: i32,
    /// What its processors can do: 9.0 as (9, 0).
    pub capability: (i32, i32),
    /// How it is used just now.
    pub use_now: GpuUse,
}

/// How a GPU is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GpuUse {
    /// Bytes of memory that it has.
    pub memory_bytes: u64,
    /// Bytes of memory that are taken, by all programs together.
    pub memory_used_bytes: u64,
    /// Percent of the last second in which it computed.
    pub busy_percent: u32,
    /// What it draws, in milliwatts.
    pub power_mw: u32,
    /// Degrees Celsius.
    pub temperature_c: u32,
}

/// The GPUs of this machine and how they are used.
///
/// # Errors
/// When the program was built without CUDA, or there is no driver.
#[cfg(not(feature = "cuda"))]
pub fn gpus() -> Result<Vec<GpuFacts>, GpuError> {
    Err(GpuError::NotCompiled)
}

/// The GPUs of this machine and how they are used. What a GPU does not tell is 0.
///
/// # Errors
/// When the program was built without CUDA, or there is no driver.
#[cfg(feature = "cuda")]
pub fn gpus() -> Result<Vec<GpuFacts>, GpuError> {
    use nvml_wrapper::Nvml;
    use nvml_wrapper::enum_wrappers::device::TemperatureSensor;

    // Drivers put the library there under this name; the other one is for those who build.
    let nvml = Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init();
    let nvml = nvml.map_err(|error| GpuError::NoDriver(error.to_string()))?;
    let no = |error: nvml_wrapper::error::NvmlError| GpuError::NoDriver(error.to_string());
    let driver = nvml.sys_driver_version().map_err(no)?;
    let cuda = nvml.sys_cuda_driver_version().map_err(no)?;
    let count = nvml.device_count().map_err(no)?.min(GPUS_MAX);
    let facts = (0..count).map(|number| {
        let device = nvml.device_by_index(number)?;
        let memory = device.memory_info()?;
        let capability = device.cuda_compute_capability().map_or((0, 0), |found| (found.major, found.minor));
        Ok(GpuFacts {
            number,
            name: device.name()?,
            uuid: device.uuid()?,
            driver: driver.clone(),
            cuda,
            capability,
            use_now: GpuUse {
                memory_bytes: memory.total,
                memory_used_bytes: memory.used,
                busy_percent: device.utilization_rates().map_or(0, |rates| rates.gpu),
                power_mw: device.power_usage().unwrap_or(0),
                temperature_c: device.temperature(TemperatureSensor::Gpu).unwrap_or(0),
            },
        })
    });
    facts.collect::<Result<Vec<_>, nvml_wrapper::error::NvmlError>>().map_err(no)
}
