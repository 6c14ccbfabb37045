-- The tables that the ledger's view reads, as the 216 migrations of @mojaloop/central-ledger 19.5.5
-- (Apache-2.0) leave them in MariaDB 10.11: SHOW CREATE TABLE, and transferState as its seed fills it.
CREATE TABLE `currency` (
  `currencyId` varchar(3) NOT NULL,
  `name` varchar(128) DEFAULT NULL,
  `isActive` tinyint(1) NOT NULL DEFAULT 1,
  `createdDate` datetime NOT NULL DEFAULT current_timestamp(),
  `scale` int(10) unsigned NOT NULL DEFAULT 4,
  PRIMARY KEY (`currencyId`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci
;
CREATE TABLE `transferDuplicateCheck` (
  `transferId` varchar(36) NOT NULL,
  `hash` varchar(256) NOT NULL,
  `createdDate` datetime NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`transferId`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci
;
CREATE TABLE `transfer` (
  `transferId` varchar(36) NOT NULL,
  `amount` decimal(18,4) NOT NULL,
  `currencyId` varchar(3) NOT NULL,
  `ilpCondition` varchar(256) NOT NULL,
  `expirationDate` datetime NOT NULL,
  `createdDate` datetime NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`transferId`),
  KEY `transfer_currencyid_index` (`currencyId`),
  CONSTRAINT `transfer_currencyid_foreign` FOREIGN KEY (`currencyId`) REFERENCES `currency` (`currencyId`),
  CONSTRAINT `transfer_transferid_foreign` FOREIGN KEY (`transferId`) REFERENCES `transferDuplicateCheck` (`transferId`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci
;
CREATE TABLE `transferState` (
  `transferStateId` varchar(50) NOT NULL,
  `enumeration` varchar(50) NOT NULL COMMENT 'transferState associated to the Mojaloop API',
  `description` varchar(512) DEFAULT NULL,
  `isActive` tinyint(1) NOT NULL DEFAULT 1,
  `createdDate` datetime NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`transferStateId`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci
;
CREATE TABLE `transferStateChange` (
  `transferStateChangeId` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `transferId` varchar(36) NOT NULL,
  `transferStateId` varchar(50) NOT NULL,
  `reason` varchar(512) DEFAULT NULL,
  `createdDate` datetime NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`transferStateChangeId`),
  KEY `transferstatechange_transferid_index` (`transferId`),
  KEY `transferstatechange_transferstateid_index` (`transferStateId`),
  CONSTRAINT `transferstatechange_transferid_foreign` FOREIGN KEY (`transferId`) REFERENCES `transfer` (`transferId`),
  CONSTRAINT `transferstatechange_transferstateid_foreign` FOREIGN KEY (`transferStateId`) REFERENCES `transferState` (`transferStateId`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci
;
INSERT INTO transferState (transferStateId, enumeration) VALUES ('ABORTED_ERROR', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('ABORTED_REJECTED', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('COMMITTED', 'COMMITTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('EXPIRED_PREPARED', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('EXPIRED_RESERVED', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('FAILED', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('INVALID', 'ABORTED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RECEIVED_ERROR', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RECEIVED_FULFIL', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RECEIVED_FULFIL_DEPENDENT', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RECEIVED_PREPARE', 'RECEIVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RECEIVED_REJECT', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RESERVED', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RESERVED_FORWARDED', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('RESERVED_TIMEOUT', 'RESERVED');
INSERT INTO transferState (transferStateId, enumeration) VALUES ('SETTLED', 'SETTLED');
