// Loaded before a torch that is built without CUDA, it says that there is a GPU which does all work at once. Tensors of
// FakeTensorMode, which hold no numbers, can then be on it, and autograd goes back through them.
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <optional>

using namespace c10;

struct Guard : impl::NoOpDeviceGuardImpl<DeviceType::CUDA> {
  static inline const Device GPU{DeviceType::CUDA, 0};
  Device exchangeDevice(Device) const override { return GPU; }
  Device getDevice() const override { return GPU; }
  Stream getStream(Device) const noexcept override { return Stream(Stream::DEFAULT, GPU); }
  Stream exchangeStream(Stream) const noexcept override { return Stream(Stream::DEFAULT, GPU); }
  void record(void**, const Stream&, const DeviceIndex, const EventFlag) const override {}
  void block(void*, const Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

struct Hooks : at::CUDAHooksInterface {
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
};

// torch's own functions of these names, in whose place these are found
namespace at::detail {
const CUDAHooksInterface& getCUDAHooks() {
  static Hooks hooks;
  return hooks;
}
}  // namespace at::detail

namespace at::accelerator {
std::optional<c10::DeviceType> getAccelerator(bool) { return DeviceType::CUDA; }
}  // namespace at::accelerator
