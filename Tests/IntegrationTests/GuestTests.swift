import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

/// Tests with guests that work: one after the other, since they need the processors.
@Suite(.serialized, .needsExecutable, .needsGuest) enum GuestTests {}
