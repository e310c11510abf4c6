#pragma once

#include "core/world.h"

// One command, one file: its decide and the evolve of the events it makes. This list is the only
// place that knows them all.

namespace tenbin {

Decision decide(const World&, const Asked&, const DeclareFunder&, Instant,
                Facts&);  // programmes/funder.cc
Decision decide(const World&, const Asked&, const DeclareProgramme&, Instant, Facts&);  // titled.cc
Decision decide(const World&, const Asked&, const DeclareOrganisation&, Instant,
                Facts&);  // titled.cc
Decision decide(const World&, const Asked&, const DeclareGrant&, Instant,
                Facts&);  // programmes/grant.cc
Decision decide(const World&, const Asked&, const DeclareLot&, Instant,
                Facts&);  // programmes/lot.cc
Decision decide(const World&, const Asked&, const DeclareProject&, Instant,
                Facts&);  // programmes/project.cc
Decision decide(const World&, const Asked&, const DeclareAllocation&, Instant,
                Facts&);  // programmes/allocation.cc
Decision decide(const World&, const Asked&, const ExpireLot&, Instant,
                Facts&);  // programmes/expiry.cc
Decision decide(const World&, const Asked&, const DeclarePerson&, Instant,
                Facts&);  // programmes/person.cc
Decision decide(const World&, const Asked&, const DeclareMember&, Instant,
                Facts&);  // programmes/member.cc
Decision decide(const World&, const Asked&, const RemoveMember&, Instant,
                Facts&);  // programmes/member.cc
Decision decide(const World&, const Asked&, const DisablePerson&, Instant,
                Facts&);  // programmes/person.cc
Decision decide(const World&, const Asked&, const EnablePerson&, Instant,
                Facts&);  // programmes/person.cc
Decision decide(const World&, const Asked&, const CreateToken&, Instant,
                Facts&);  // programmes/token.cc
Decision decide(const World&, const Asked&, const RevokeToken&, Instant,
                Facts&);  // programmes/token.cc
Decision decide(const World&, const Asked&, const DeclareProvider&, Instant, Facts&);  // titled.cc
Decision decide(const World&, const Asked&, const DeclareRegion&, Instant, Facts&);    // titled.cc
Decision decide(const World&, const Asked&, const DeclarePool&, Instant, Facts&);  // fleet/pool.cc
Decision decide(const World&, const Asked&, const DeclareNode&, Instant, Facts&);  // fleet/node.cc
Decision decide(const World&, const Asked&, const SetPrice&, Instant, Facts&);     // fleet/price.cc
Decision decide(const World&, const Asked&, const DrainNode&, Instant,
                Facts&);  // fleet/node_state.cc
Decision decide(const World&, const Asked&, const ResumeNode&, Instant,
                Facts&);  // fleet/node_state.cc
Decision decide(const World&, const Asked&, const EvacuateNode&, Instant,
                Facts&);  // fleet/node_state.cc
Decision decide(const World&, const Asked&, const SubmitJob&, Instant, Facts&);   // jobs/submit.cc
Decision decide(const World&, const Asked&, const CancelJob&, Instant, Facts&);   // jobs/cancel.cc
Decision decide(const World&, const Asked&, const HoldJob&, Instant, Facts&);     // jobs/hold.cc
Decision decide(const World&, const Asked&, const ReleaseJob&, Instant, Facts&);  // jobs/hold.cc
Decision decide(const World&, const Asked&, const ReportEnd&, Instant, Facts&);   // jobs/end.cc
Decision decide(const World&, const Asked&, const SetPolicy&, Instant,
                Facts&);  // schedule/policy.cc
Decision decide(const World&, const Asked&, const OpenEpoch&, Instant, Facts&);       // epoch.cc
Decision decide(const World&, const Asked&, const ForgetRequests&, Instant, Facts&);  // requests.cc

void evolve(World&, const FunderDeclared&, Instant);
void evolve(World&, const ProgrammeDeclared&, Instant);
void evolve(World&, const OrganisationDeclared&, Instant);
void evolve(World&, const GrantDeclared&, Instant);
void evolve(World&, const LotDeclared&, Instant);
void evolve(World&, const ProjectDeclared&, Instant);
void evolve(World&, const AllocationDeclared&, Instant);
void evolve(World&, const TitleSet&, Instant);
void evolve(World&, const FunderChanged&, Instant);
void evolve(World&, const LotChanged&, Instant);
void evolve(World&, const AllocationChanged&, Instant);
void evolve(World&, const LotExpired&, Instant);
void evolve(World&, const CreditExpired&, Instant);
void evolve(World&, const PersonDeclared&, Instant);
void evolve(World&, const MemberDeclared&, Instant);
void evolve(World&, const MemberRemoved&, Instant);
void evolve(World&, const PersonChanged&, Instant);
void evolve(World&, const TokenCreated&, Instant);
void evolve(World&, const TokenRevoked&, Instant);
void evolve(World&, const ProviderDeclared&, Instant);
void evolve(World&, const RegionDeclared&, Instant);
void evolve(World&, const GpuModelSeen&, Instant);
void evolve(World&, const PoolDeclared&, Instant);
void evolve(World&, const NodeDeclared&, Instant);
void evolve(World&, const PriceSet&, Instant);
void evolve(World&, const NodeStateSet&, Instant);
void evolve(World&, const JobQueued&, Instant);
void evolve(World&, const ArrayQueued&, Instant);
void evolve(World&, const JobConditions&, Instant);
void evolve(World&, const TaskParted&, Instant);
void evolve(World&, const JobHeld&, Instant);
void evolve(World&, const JobReleased&, Instant);
void evolve(World&, const PromiseMoved&, Instant);
void evolve(World&, const JobStarted&, Instant);
void evolve(World&, const StopRequested&, Instant);
void evolve(World&, const AttemptLost&, Instant);
void evolve(World&, const AttemptFailed&, Instant);
void evolve(World&, const TasksCancelled&, Instant);
void evolve(World&, const JobSettled&, Instant);
void evolve(World&, const PolicySet&, Instant);
void evolve(World&, const EpochOpened&, Instant);
void evolve(World&, const RequestAnswered&, Instant);
void evolve(World&, const RequestsForgotten&, Instant);

}  // namespace tenbin
