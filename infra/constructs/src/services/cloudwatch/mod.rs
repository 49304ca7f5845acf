//! CloudWatch: what is measured, when it alarms, and where it is looked at.

mod actions;
mod alarm;
mod composite;
mod dashboard;
mod known;
mod metric;

pub use alarm::{Alarm, AlarmRef, Missing, When};
pub use composite::{CompositeAlarm, CompositeAlarmRef, Rule};
pub use dashboard::{AlarmStatus, Dashboard, DashboardRef, Graph, LogQuery, Note, Widget};
pub use metric::{Expression, Metric, Series, Statistic};
