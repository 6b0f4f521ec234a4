"""What the tests share: waiting for conditions, real servers, recorded clients."""
