import CLinux
import Glibc
import LinuxSystem
import Testing

@Suite struct DescriptorTests {
    @Test func errorNamesOperationObjectReasonAndAdvice() {
        let error = SystemError("open", "/dev/kvm", .permissionDenied, advice: "join group kvm")

        #expect(
            error.description
                == "Cannot open /dev/kvm: Permission denied (EACCES); join group kvm")
    }

    @Test func unknownErrorNumberIsPrintedAsNumber() {
        #expect(Errno(rawValue: 4095).description == "error 4095")
    }

    @Test func openingMissingFileNamesIt() {
        let error = #expect(throws: SystemError.self) {
            _ = try OwnedDescriptor(opening: "/nonexistent/disk")
        }
        #expect(error?.object == "/nonexistent/disk")
        #expect(error?.errno == .noSuchFile)
    }

    @Test func descriptorIsClosedWhenItsOwnerEnds() throws {
        let number = try temporaryDescriptorNumber()

        #expect(fcntl(number, F_GETFD) == -1)
    }

    @Test func takenDescriptorStaysOpen() throws {
        let number = try EventDescriptor(name: "taken").descriptor.duplicate().take()

        #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
        close(number)
    }

    @Test func adoptedDescriptorBecomesCloseOnExec() throws {
        let number = dup(2)
        let descriptor = try OwnedDescriptor(adopting: number, name: "standard error")

        #expect(fcntl(descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    }

    @Test func vectorsAreLaidOutAsTheKernelReadsThem() {
        let size = unsafe MemoryLayout<MemoryVector>.size
        let kernelSize = unsafe MemoryLayout<iovec>.size
        let count = unsafe MemoryLayout<MemoryVector>.offset(of: \.count)
        let kernelCount = unsafe MemoryLayout<iovec>.offset(of: \.iov_len)

        #expect(size == kernelSize)
        #expect(count == kernelCount)
    }

    @Test func vectoredTransfersMovePiecesInOrder() throws {
        let file = try MemoryFile(name: "vectors", size: 16)
        let bytes = try Mapping(anonymous: PageSize.base)
        unsafe bytes.baseAddress.storeBytes(of: 0x0102_0304, as: UInt32.self)
        unsafe bytes.baseAddress.storeBytes(of: 0x0506_0708, toByteOffset: 4, as: UInt32.self)
        var vectors = unsafe [
            MemoryVector(base: bytes.baseAddress + 4, count: 4),
            MemoryVector(base: bytes.baseAddress, count: 4),
        ]

        let written = try unsafe vectors.withUnsafeMutableBufferPointer {
            try unsafe file.descriptor.write(UnsafeBufferPointer($0), at: 8)
        }
        let read = try unsafe file.descriptor.read(
            into: UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: 8), at: 8)

        #expect(written == 8)
        #expect(read == 8)
        #expect(unsafe bytes.baseAddress.load(as: UInt64.self) == 0x0102_0304_0506_0708)
    }

    @Test func waitEndsAtTheDeadline() throws {
        let event = try EventDescriptor(name: "silent")

        let error = #expect(throws: SystemError.self) {
            try event.wait(deadline: .after(milliseconds: 1))
        }
        #expect(error?.errno == .timedOut)
    }

    private func temporaryDescriptorNumber() throws -> Int32 {
        let event = try EventDescriptor(name: "temporary")
        return event.descriptor.rawValue
    }
}
